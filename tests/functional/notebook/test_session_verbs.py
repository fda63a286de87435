"""The verbs that keep sessions, in real kernels: restore, fork, history and the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from pathlib import Path

PRIMES = "%%vibekit\nWrite primes.py that prints the first ten primes, and run it"


def a_kernel(folder: Path) -> Kernel:
    """A kernel of one notebook; its home is shared with other kernels of this folder."""
    return Kernel(folder / "home", {"JPY_SESSION_NAME": str(folder / "report.ipynb")})


def test_a_session_is_restored_after_a_restart(tmp_path: Path) -> None:
    with a_kernel(tmp_path) as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").text.strip() == ""
        assert kernel.run(PRIMES).status == "ok"
        kernel.restart()
        offered = kernel.run("%load_ext vibekit_jupyter")
        assert "last used the session report. Go on with it: %vibekit_session restore" in (
            offered.text
        )
        restored = kernel.run("%vibekit_session restore")
        assert "1 turn" in restored.text
        assert "files are there" in restored.text
        again = kernel.run("%%vibekit\nNow make it print twenty")
        assert "71" in again.text
        history = kernel.run("%vibekit_session history").text
        assert history.index("first ten primes") < history.index("make it print twenty")


def test_a_session_that_is_gone_is_reopened_and_says_so(tmp_path: Path) -> None:
    with a_kernel(tmp_path) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run(PRIMES)
        kernel.run("%vibekit_session kill")
        restored = kernel.run("%vibekit_session restore")
        assert restored.status == "ok"
        assert "is gone, and its files with it" in restored.text
        assert "first ten primes" in kernel.run("%vibekit_session history").text


def test_a_conversation_is_written_to_files_of_ones_own(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%vibekit_session new written")
    kernel.run(PRIMES)
    for name in ("talk.md", "talk.ipynb", "talk.json"):
        written = kernel.run(f"%vibekit_session history --to '{tmp_path / name}'")
        assert f"(1 turn) is in {tmp_path / name}" in written.text
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert "> Write primes.py" in (tmp_path / "talk.md").read_text()
    (turn,) = json.loads((tmp_path / "talk.json").read_text())["turns"]
    assert turn["status"] == "done"
    notebook = nbformat.read(tmp_path / "talk.ipynb", as_version=4)  # type: ignore[no-untyped-call]  # theirs
    nbformat.validate(notebook)
    assert notebook.cells[1].source.startswith("%%vibekit --agent codex\nWrite primes.py")
    refused = kernel.run(f"%vibekit_session history --to '{tmp_path / 'talk.exe'}'")
    assert refused.status == "error"
    assert ".md, .ipynb, .json" in refused.text


@pytest.mark.parametrize(
    "code",
    [
        "%vibekit_session kill ''",
        "name = ''\n%vibekit_session kill {name}",
        "%vibekit_session pause ''",
        "%vibekit_session history ''",
        "%vibekit --session '' hello",
        "%%vibekit --session ''\nhello",
        "%vibekit_session open 8000 ''",
        "%%vibekit_run --session ''\n1",
        "await get_client().run_code('1', session='')",
        "await get_client().kill('')",
        "await get_client().generate_code('hello', session='')",
        "await get_client().kill(5)",
        "await get_client().forget(5)",
    ],
)
def test_an_empty_name_is_never_the_current_session(kernel: Kernel, code: str) -> None:
    kernel.run("from vibekit_jupyter import get_client\n%vibekit_session new spared")
    cell = kernel.run(code, stop_on_error=False)
    assert cell.ename == "ConfigurationError", cell.text
    shown = kernel.run("%vibekit_session").text
    assert "spared" in shown
    assert "running" in shown
    assert "no turn yet" in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("rename keeper", "keeper"),
        ("pause", "paused"),
        ("resume", "running"),
        ("fork copied", "copied"),
        ("list --state running", "copied"),
        ("kill copied", "gone"),
        ("forget copied", "forgotten"),
        ("history", "Nothing was said"),
    ],
)
def test_each_verb_shows_what_became_of_the_session(kernel: Kernel, line: str, says: str) -> None:
    if line.startswith("rename"):
        kernel.run("%vibekit_session new")
    cell = kernel.run(f"%vibekit_session {line}")
    assert cell.status == "ok", cell.text
    assert says in cell.text
