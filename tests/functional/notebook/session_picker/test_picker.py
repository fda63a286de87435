"""The picker in a real kernel: every copy agrees with the magics and with other kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from tests.support.kernel import Cell

# What a person sees and does, by the widgets' own ways; and waiting for what is drawn.
HANDS = """
import asyncio, threading, time
from vibekit_jupyter import get_client, picker
client = get_client()
one, two = picker(), picker()
buttons = one.widget.children[0].children[1:]
panel = one.widget.children[1]
said = []
tell, panel.send = panel.send, lambda content, buffers=None: (said.append(content), tell(content))

# Where a session was killed it is another one.
def dropdown():
    return one.widget.children[0].children[0]

def other():
    return two.widget.children[0].children[0]

def ids():
    return {label[2:].split(" — ")[0]: id for label, id in dropdown().options}

def chosen():
    return dropdown().label[2:].split(" — ")[0]

def press(text):
    next(button for button in buttons if button.description == text).click()

def answer(**values):
    panel._handle_custom_msg({"kind": "answer", "values": values}, [])

def words():
    return [content["text"] for content in said if "text" in content]

async def until(check):
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline, (dropdown().options, said)
        await asyncio.sleep(0.01)

async def agree(name):
    await until(lambda: chosen() == name and dropdown().value == other().value)
    assert await client.get_session() == dropdown().value, name
    print("agreed")
"""


@pytest.fixture(scope="module", autouse=True)
def sessions(kernel: Kernel) -> None:
    for code in ("%vibekit_session new alpha", "%vibekit_session new beta", HANDS):
        cell = kernel.run(code)
        assert cell.status == "ok", cell.error


def do(kernel: Kernel, code: str) -> Cell:
    cell = kernel.run(code)
    assert cell.status == "ok", cell.error
    return cell


def agree(kernel: Kernel, name: str) -> None:
    assert do(kernel, f"await agree({name!r})").stdout == "agreed\n"


def test_a_choice_sets_the_session_in_every_copy(kernel: Kernel) -> None:
    do(kernel, "dropdown().value = ids()['alpha']")
    agree(kernel, "alpha")
    do(kernel, "other().value = ids()['beta']")
    agree(kernel, "beta")


def test_the_magics_move_every_copy(kernel: Kernel) -> None:
    for name in ("alpha", "beta"):
        do(kernel, f"%vibekit_session set {name}")
        agree(kernel, name)


def test_it_follows_while_plain_code_keeps_the_kernel_busy(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session set alpha")
    agree(kernel, "alpha")
    do(
        kernel,
        "client.submit(client.vibekit.set_session('beta'))\n"
        "deadline = time.monotonic() + 10\n"
        "while chosen() != 'beta': assert time.monotonic() < deadline; time.sleep(0.01)",
    )
    agree(kernel, "beta")


def test_new_options_never_switch_the_session(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session set alpha")
    do(kernel, "await client.fork('copy')")
    do(kernel, "await until(lambda: 'copy' in ids())")
    agree(kernel, "alpha")
    do(kernel, "%vibekit_session rename renamed")
    agree(kernel, "renamed")
    do(kernel, "%vibekit_session rename alpha")


def test_a_session_that_was_killed_is_the_current_one_no_more(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session new brief")
    agree(kernel, "brief")
    do(kernel, "%vibekit_session kill")
    shown = do(
        kernel,
        "await until(lambda: dropdown().value == other().value == '')\n"
        "print(await client.get_session(), dropdown().label)",
    )
    assert shown.stdout == "None ○ no current session\n"
    do(kernel, "%vibekit_session set beta")


def test_a_session_made_by_a_prompt_appears(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session new asked")
    do(kernel, "%%vibekit\nprint('hello')")
    agree(kernel, "asked")
    do(kernel, "%vibekit_session set beta")


def test_the_buttons_do_what_the_verbs_do(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session set beta")
    agree(kernel, "beta")
    do(kernel, "press('New'); answer(name='pressed', project='q4')")
    agree(kernel, "pressed")
    do(kernel, "press('Pause'); await until(lambda: 'paused' in dropdown().label)")
    do(kernel, "press('Resume'); await until(lambda: 'running' in dropdown().label)")
    do(kernel, "press('Rename'); answer(name='pressed-2')")
    agree(kernel, "pressed-2")
    do(kernel, "press('Fork'); answer(name='forked'); await until(lambda: 'forked' in ids())")
    do(kernel, "press('Kill…'); print(words()[-1]); answer()")
    do(kernel, "await until(lambda: dropdown().value == '')")
    assert "running" in do(kernel, "%vibekit_session show forked").text
    assert "gone" in do(kernel, "%vibekit_session show pressed-2").text
    do(kernel, "%vibekit_session set beta")


def test_a_button_that_fails_says_why_and_changes_nothing(kernel: Kernel) -> None:
    agree(kernel, "beta")
    do(kernel, "said.clear(); press('Rename'); answer(name='alpha')")
    shown = do(kernel, "await until(lambda: said[-1].get('bad')); print(words()[-1])")
    assert "There is a session named 'alpha' already" in shown.stdout
    assert len(shown.stdout.splitlines()) == 1
    agree(kernel, "beta")


def test_a_choice_that_fails_says_why_and_puts_the_choice_back(kernel: Kernel) -> None:
    do(
        kernel,
        "from vibekit_jupyter.settings.config import Service\n"
        "from vibekit_jupyter.sessions.registry import Registry\n"
        "from vibekit_jupyter.sessions.session import Session\n"
        "registry, user = Registry(), client.known_sessions()[0].user\n"
        "far = Session('far' * 6, 'far', 'E2B', user=user, state='running')\n"
        "registry.add(far, Service(id='https://api.e2b.app#1', title='E2B', api_key='e2b_1'))\n"
        "await until(lambda: 'far' in ids())",
    )
    do(kernel, "said.clear(); dropdown().value = ids()['far']")
    shown = do(kernel, "await until(lambda: said and said[-1].get('bad')); print(words()[-1])")
    assert "belongs to another sandbox service" in shown.stdout
    agree(kernel, "beta")


def test_killing_a_session_with_a_run_in_it_is_asked_twice(kernel: Kernel) -> None:
    do(kernel, "%vibekit_session new busy")
    agree(kernel, "busy")
    shown = do(
        kernel,
        "run = client.submit(client.vibekit.generate_code('`sh`\\nsleep 30'))\n"
        "await until(lambda: client.vibekit.history())\n"
        "said.clear(); press('Kill…'); answer()\n"
        "await until(lambda: 'all the same' in ''.join(words())); print(words())\n"
        "answer(); await until(lambda: dropdown().value == ''); run.cancel()",
    )
    assert "A run is going on in the session busy." in shown.stdout
    do(kernel, "%vibekit_session set beta")


def test_what_another_kernel_does_is_seen(kernel: Kernel) -> None:
    with Kernel(kernel.home) as neighbour:
        do(neighbour, "%load_ext vibekit_jupyter")
        do(neighbour, "%vibekit_session rename theirs alpha")
        do(kernel, "await until(lambda: 'theirs' in ids())")
        agree(kernel, "beta")
        do(neighbour, "%vibekit_session rename alpha theirs")
        do(kernel, "await until(lambda: 'alpha' in ids())")
        neighbour.shut_down()


def test_one_that_nobody_sees_is_not_drawn(kernel: Kernel) -> None:
    do(kernel, "panel._handle_custom_msg({'kind': 'shown', 'view': '1'}, [])")
    do(kernel, "panel._handle_custom_msg({'kind': 'hidden', 'view': '1'}, [])")
    do(kernel, "%vibekit_session set alpha")
    do(kernel, "await until(lambda: other().label.startswith('● alpha'))")
    assert do(kernel, "print(chosen())").stdout == "beta\n"
    do(kernel, "panel._handle_custom_msg({'kind': 'shown', 'view': '2'}, [])")
    agree(kernel, "alpha")


def test_a_static_table_stands_beside_the_widget(kernel: Kernel) -> None:
    widget, table = do(kernel, "%vibekit_session pick").displays
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert widget["text/plain"] == ""
    assert set(table) == {"text/html", "text/plain"}
    assert "alpha" in table["text/plain"]


def test_a_terminal_gets_the_table(kernel: Kernel) -> None:
    do(kernel, "import os; os.environ['VIBEKIT_DISPLAY'] = 'plain'")
    cell = do(kernel, "%vibekit_session pick")
    do(kernel, "del os.environ['VIBEKIT_DISPLAY']")
    assert cell.displays == []
    assert "alpha" in cell.stdout
