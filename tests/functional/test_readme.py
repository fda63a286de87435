"""The README's examples are run, and what it names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.kernel import Kernel
from vibekit_jupyter.notebook.code_magic import RUN
from vibekit_jupyter.notebook.config_magic import CONFIG, KEY
from vibekit_jupyter.notebook.files_magic import COMMANDS as FILES
from vibekit_jupyter.notebook.magics import CELL, LINE
from vibekit_jupyter.notebook.session_magic import VERBS

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = (
    "pip install -e '.[lab]' && jupyter lab notebooks/quickstart.ipynb",
    "pip install -e '.[test]' && pytest",
)


def sections() -> dict[str, list[str]]:
    """Return the Python blocks of each section that has some."""
    found: dict[str, list[str]] = defaultdict(list)
    for section in README.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        found[title].extend(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    return {title: blocks for title, blocks in found.items() if blocks}


def cells(block: str) -> list[str]:
    """Return a block as cells: where it has magics, each paragraph is one."""
    magic = re.search(r"^%", block, re.MULTILINE)
    return block.strip().split("\n\n") if magic else [block]


def magic_lines() -> list[str]:
    """Return the magics in running text and in blocks, without what only stands for words."""
    inline = re.findall(r"`(%%?vibekit[^`]*)`", README)
    blocks = [
        line for blocks in sections().values() for block in blocks for line in block.split("\n")
    ]
    return sorted({*inline, *(line for line in blocks if line.startswith("%"))})


@pytest.mark.parametrize("title", sections())
def test_the_examples_of_a_section_run_in_order(title: str, tmp_path: Path) -> None:
    with Kernel(tmp_path / "home") as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        for block in sections()[title]:
            for cell in cells(block):
                done = kernel.run(cell)
                assert done.status == "ok", f"{cell}\n{done.text}"


def test_the_quickstart_does_what_it_says(tmp_path: Path) -> None:
    with Kernel(tmp_path / "home") as kernel:
        shown = [kernel.run(cell).text for cell in cells(sections()["Quickstart"][0])]
    load, first, session, second = shown
    assert load == ""
    assert "2 3 5 7 11 13 17 19 23 29" in first
    assert "running" in session
    assert "67 71" in second


@pytest.mark.parametrize("line", magic_lines())
def test_a_magic_that_is_named_takes_these_options(line: str) -> None:
    name, *words = shlex.split(line)
    if name == "%load_ext":
        return
    if name == "%vibekit_session":
        verb = VERBS[words[0]].command if words else VERBS["show"].command
        verb.parse(words[1:], {})
    elif name == "%vibekit_files":
        FILES[words[0] if words else "list"].parse(words[1:], {})
    elif name == "%vibekit_config":
        command = KEY if words[:1] == ["key"] else CONFIG
        command.parse(words[command is KEY :], {})
    elif name == "%%vibekit":
        CELL.parse(words, {})
    elif name == "%%vibekit_run":
        RUN.parse(words, {})
    else:
        assert name == "%vibekit"
        LINE.parse_prompt(line.removeprefix(name), {})


def test_a_verb_that_is_named_exists() -> None:
    (row,) = re.findall(r"^\| `%vibekit_session` \|(.*)$", README, re.MULTILINE)
    assert {words.split()[0] for words in re.findall(r"`([^`]+)`", row)} <= set(VERBS)


def test_the_servers_commands_work_without_a_server(tmp_path: Path) -> None:
    (command,) = re.findall(r"`python -m (vibekit_jupyter\.local_sandbox) status`", README)
    for verb in ("status", "stop"):
        environment = {"PATH": "", "VIBEKIT_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", command, verb],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


def test_an_option_that_is_named_exists() -> None:
    known = {
        name
        for command in (
            *(CELL, LINE, RUN, CONFIG, KEY, *FILES.values()),
            *(verb.command for verb in VERBS.values()),
        )
        for argument in command.arguments
        for name in argument.names
    }
    assert set(re.findall(r"`(--[a-z-]+)", README)) <= known
    options = {name for argument in CELL.arguments for name in argument.names}
    assert options <= set(re.findall(r"--?[a-z-]+", README))


def test_a_variable_that_is_named_is_read() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "vibekit_jupyter").rglob("*.py")
    )
    for name in re.findall(r"\b(?:OPENAI|ANTHROPIC|VIBEKIT)_[A-Z_]+\b", README):
        assert f'"{name}"' in source, name
    for name in re.findall(r"\bE2B_([A-Z_]+)\b", README):
        assert f'"{name.lower()}"' in source, name


def test_the_two_commands_stand_at_the_top() -> None:
    top = README.partition("\n## ")[0]
    assert [line.strip() for line in top.splitlines() if line.startswith("    ")] == [*COMMANDS]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {"lab", "test"} <= set(project["optional-dependencies"])
