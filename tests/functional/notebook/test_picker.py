"""The picker's dropdown in a real kernel: it agrees with the magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.kernel import Kernel

PICKERS = """
from vibekit_jupyter import get_client, picker
client = get_client()
one, two = picker(), picker()
dropdown = one.widget.children[0]
other = two.widget.children[0]
"""
STATE = "ids = dict((label[2:].split(' — ')[0], id) for label, id in dropdown.options)\n"
CURRENT = "print(await client.get_session() == dropdown.value == other.value == ids[{!r}])"


@pytest.fixture(scope="module", autouse=True)
def sessions(kernel: Kernel) -> None:
    assert kernel.run("%vibekit_session new alpha").status == "ok"
    assert kernel.run("%vibekit_session new beta").status == "ok"
    assert kernel.run(PICKERS).status == "ok"


def check(kernel: Kernel, name: str) -> None:
    assert kernel.run(STATE + CURRENT.format(name)).stdout == "True\n"


def test_a_choice_sets_the_session_in_every_copy(kernel: Kernel) -> None:
    kernel.run(STATE + "dropdown.value = ids['alpha']")
    check(kernel, "alpha")
    kernel.run(STATE + "other.value = ids['beta']")
    check(kernel, "beta")


def test_the_magics_move_every_copy(kernel: Kernel) -> None:
    for name in ("alpha", "beta"):
        kernel.run(f"%vibekit_session set {name}")
        check(kernel, name)


def test_new_options_never_switch_the_session(kernel: Kernel) -> None:
    kernel.run("%vibekit_session set alpha")
    kernel.run("%vibekit_session new gamma")
    check(kernel, "gamma")
    kernel.run("%vibekit_session rename delta")
    check(kernel, "delta")
    kernel.run("%vibekit_session kill")
    kernel.run(STATE)
    shown = kernel.run(
        "print(dropdown.value, other.value, await client.get_session(), 'delta' in ids)"
    )
    assert shown.stdout == "None None None False\n"


def test_a_session_made_by_a_prompt_appears_in_the_dropdown(kernel: Kernel) -> None:
    kernel.run("%%vibekit\nprint('hello')")
    shown = kernel.run(
        "print(dropdown.value is not None, dropdown.value == await client.get_session())"
    )
    assert shown.stdout == "True True\n"


def test_a_static_table_stands_beside_the_widget(kernel: Kernel) -> None:
    cell = kernel.run("%vibekit_session pick")
    assert cell.status == "ok", cell
    widget, table = cell.displays
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert set(table) == {"text/html", "text/plain"}
    assert "alpha" in table["text/plain"]
