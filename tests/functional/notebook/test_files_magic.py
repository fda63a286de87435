"""``%vibekit_files`` and previews in a real kernel."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel import Kernel

MAKE = """
client = __import__("vibekit_jupyter").get_client()
await client.new()
print((await client.execute_command({command!r})).exit_code)
"""
FILES = (
    "mkdir -p out/deep .hidden node_modules/x; echo a,b > out/t.csv; echo 1,2 >> out/t.csv; "
    "echo hello > notes.txt; head -c 3000000 /dev/zero > big.bin; printf '<b>x' > 'out/<i>.html'; "
    "printf '%s' '<script>alert(1)</script>' > 'bad\n<img src=x>.txt'; ln -s /etc/passwd out/link"
)


@pytest.fixture
def files(kernel: Kernel, tmp_path: Path) -> Kernel:
    """A kernel in a folder of its own, with a session in which there are files."""
    kernel.run(f"%cd -q {tmp_path}")
    assert kernel.run(MAKE.format(command=FILES)).stdout.strip() == "0"
    return kernel


def test_what_there_is_is_shown_as_a_tree(files: Kernel) -> None:
    shown = files.run("%vibekit_files")
    lines = shown.text.splitlines()
    assert re.search(r"^notes.txt +6 B$", shown.text, re.MULTILINE)
    assert lines.index("out/") < next(i for i, line in enumerate(lines) if "  t.csv" in line)
    assert "hidden" not in shown.text
    assert "  link (link)" in lines
    html = str(shown.displays[0]["text/html"])
    assert "<img" not in html
    assert "<i>.html" not in html
    assert "t.csv" in files.run("%vibekit_files list out/*.csv").text
    assert ".hidden/" in files.run("%vibekit_files list .*").text


def test_what_the_last_turn_did_is_marked(files: Kernel) -> None:
    files.run("%%vibekit\nWrite primes.py that prints the first ten primes, and run it")
    shown = files.run("%vibekit_files list").text
    assert re.search(r"^primes.py .* \+$", shown, re.MULTILINE)
    assert re.search(r"^notes.txt +6 B$", shown, re.MULTILINE)
    files.run("await client.execute_command('echo more >> notes.txt')")
    assert re.search(r"^notes.txt .* ~$", files.run("%vibekit_files list").text, re.MULTILINE)


def test_a_file_is_shown_as_what_it_is(files: Kernel) -> None:
    assert "hello" in files.run("%vibekit_files show notes.txt").text
    assert "<table" in str(files.run("%vibekit_files show out/t.csv").displays[0]["text/html"])
    named = files.run("%vibekit_files show big.bin")
    assert "3.0 MB, not shown here: %vibekit_files pull big.bin brings it." in named.text
    page = str(files.run("%vibekit_files show 'out/<i>.html'").displays[0]["text/html"])
    assert '<iframe sandbox=""' in page
    missing = files.run("%vibekit_files show nothing")
    assert (missing.ename, missing.status) == ("FilesError", "error")
    assert "not a file" in files.run("%vibekit_files show out").text


def test_files_come_and_go(files: Kernel, tmp_path: Path) -> None:
    pulled = files.run("%vibekit_files pull out notes.txt --to got")
    assert pulled.status == "ok", pulled.text
    assert f"3 files in {tmp_path / 'got'}" in pulled.text
    assert "left out: 'out/link', it is a link" in pulled.text
    assert (tmp_path / "got/out/t.csv").read_text() == "a,b\n1,2\n"
    (tmp_path / "got/notes.txt").write_text("mine")
    refused = files.run("%vibekit_files pull notes.txt --to got")
    assert refused.ename == "FilesError"
    assert len(refused.error or ()) == 1
    assert "--force" in refused.text
    pushed = files.run("%vibekit_files push got/*.txt --to back")
    assert "1 file in the sandbox's back" in pulled.text + pushed.text
    assert "mine" in files.run("%vibekit_files show back/notes.txt").text


def test_to_remove_asks_unless_it_is_told_to(files: Kernel) -> None:
    asked = files.run("%vibekit_files rm notes.txt")
    assert asked.ename == "FilesError"
    assert "--yes removes without asking" in asked.text
    assert "hello" in files.run("%vibekit_files show notes.txt").text
    removed = files.run("%vibekit_files rm notes.txt out/*.csv --yes")
    assert "Removed: 'notes.txt', 'out/t.csv'." in removed.text
    assert files.run("%vibekit_files show notes.txt").ename == "FilesError"


def test_a_verb_that_there_is_not_is_named(kernel: Kernel) -> None:
    assert "Did you mean pull?" in kernel.run("%vibekit_files pul x").text
    assert "usage: %vibekit_files pull" in kernel.run("%vibekit_files pull --help").text
    assert kernel.complete("%vibekit_files pu") == ["pull", "push"]
    assert "--force" in kernel.complete("%vibekit_files pull --f")


def test_what_takes_time_is_told_of_and_can_be_stopped(files: Kernel, tmp_path: Path) -> None:
    files.run("await client.execute_command('truncate -s 1900M huge')")
    message = files.begin("%vibekit_files pull huge")
    files.wait_for(message, "of 1 file")
    files.interrupt()
    stopped = files.end(message)
    assert stopped.status == "error"
    assert not (tmp_path / "huge").exists()
    assert files.run("1").status == "ok"


def test_a_preview_saves_no_token(files: Kernel) -> None:
    cell = files.run("%vibekit_session open 8000")
    assert cell.status == "ok", cell.text
    preview = files.run("p = await client.preview(8000); print(p.address)").stdout.strip()
    url, _, token = preview.partition("?vibekit_traffic_token=")
    assert len(token) == 32
    said = json.dumps(cell.displays)
    assert token not in said
    assert re.fullmatch(r"http://8000-[a-z0-9]+\.localhost:\d+/", url)
    assert url in str(cell.displays[-1]["text/html"])
    assert "%vibekit_session open 8000 shows it again." in cell.text
    assert "application/vnd.jupyter.widget-view+json" in cell.displays[0]
    state = files.run(
        "import json, ipywidgets; print(json.dumps(ipywidgets.Widget.get_manager_state()))"
    )
    assert "local-network-access" in state.stdout
    assert token not in state.stdout
    assert files.run("%vibekit_session open 99999").ename == "ConfigurationError"
