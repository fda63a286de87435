"""A key comes from a file or a program of the person's choice, and is told nowhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import keys
from vibekit_jupyter.settings.choices import choose_model
from vibekit_jupyter.settings.described import describe
from vibekit_jupyter.settings.layers import resolve

if TYPE_CHECKING:
    from pathlib import Path

NAME = "codex.key_command"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_runs_once_and_its_key_is_used_and_remembered(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    argv = python(f"open({str(runs)!r}, 'a').write('x'); print('sk-of-a-program')")
    given = {"agent": "codex", NAME: tuple(argv)}
    resolution = resolve(given, environ={})
    assert "sk-of-a-program" not in str(describe(resolution))
    assert not runs.exists()  # to be described nothing is run
    for _ in range(3):
        model = choose_model(resolution.checked(), "codex")
        assert model is not None
        assert model.api_key == "sk-of-a-program"
        assert "sk-of-a-program" not in model.source
    assert runs.read_text() == "x"
    assert "sk-of-a-program" in keys.remembered()


def test_a_program_does_not_see_the_notebooks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyring.py").write_text("print('sk-of-somebody-else')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"failed \(exit 1\)"):
        keys.from_command(NAME, [sys.executable, "-S", "-m", "keyring"])
    assert "sk-of-somebody-else" not in keys.remembered()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("pass", "printed nothing"),
        ("print(' ')", "printed nothing"),
        ("print('one-secret'); print('two-secret')", "printed 2 lines"),
        ("raise SystemExit(3)", r"failed \(exit 3\)"),
        ("print('a-secret'); raise SystemExit(3)", r"failed \(exit 3\)"),
        ("print('secret' * 100000)", "printed more than a key"),
        ("while True: print('secret' * 1000)", "printed more than a key"),
    ],
)
def test_what_prints_no_key_is_one_sentence_without_it(code: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        keys.from_command(NAME, python(code))
    assert NAME in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"/no/such/program .*cannot be started"):
        keys.from_command(NAME, ["/no/such/program"])


def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 1.0)
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(child.pid))\n"
    )
    for ends in ("time.sleep(600)", "pass"):  # then the child alone holds the output
        began = time.monotonic()
        with pytest.raises(ConfigurationError, match="did not end within"):
            keys.from_command(NAME, python(code + ends))
        assert time.monotonic() - began < 30
        if child.exists():
            wait_until_gone(int(child.read_text()))


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as status:  # noqa: PTH123
                if status.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(pid)


def test_a_shell_reads_nothing_of_a_program_or_its_words(tmp_path: Path) -> None:
    argv = [*python("import sys; print(sys.argv[1])"), f"$(touch {tmp_path}/ran)"]
    assert keys.from_command(NAME, argv) == argv[-1]
    assert not (tmp_path / "ran").exists()


def test_a_keys_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for key in ("first-key", "second-key"):
        file.write_text(f"{key}\n")
        assert keys.from_file("e2b.key_file", str(file)) == key


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds nothing"),
        (b"a-secret\nb-secret\n", "holds 2 lines"),
        (b"secret" * 20000, "holds more than a key"),
    ],
)
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(ConfigurationError, match=words) as caught:
        keys.from_file("e2b.key_file", str(tmp_path / "key"))
    assert "secret" not in str(caught.value)
    assert str(tmp_path / "key") in str(caught.value)


def test_a_keys_file_that_is_not_there_or_not_whole_is_told(tmp_path: Path) -> None:
    for path, words in ((f"{tmp_path}/no", "No such file"), ("key", "Write the whole path")):
        with pytest.raises(ConfigurationError, match=words):
            keys.from_file("e2b.key_file", path)
