"""What the README and the pages tell people to type can be typed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import nbformat
import pytest

from tests.support.documents import DOCUMENTS, REPOSITORY, Document
from tests.support.local_server import stop_local_server
from tests.support.surroundings import clean_environment
from vibekit_jupyter.notebook.code_magic import RUN
from vibekit_jupyter.notebook.config_magic import AGENT_PROGRAMS, CONFIG, KEY, MCP, USAGE
from vibekit_jupyter.notebook.files_magic import COMMANDS as FILES
from vibekit_jupyter.notebook.magics import CELL, LINE
from vibekit_jupyter.notebook.session_magic import VERBS
from vibekit_jupyter.settings.files import read
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = "".join(
    path.read_text(encoding="utf-8") for path in (REPOSITORY / "vibekit_jupyter").rglob("*.py")
)
VARIABLES = {name for each in TABLE.values() for name in each.variables}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
NETWORK = r"(?:HTTPS?|ALL|NO)_PROXY|SSL_CERT_(?:FILE|DIR)|JUPYTERHUB_USER"

FILES_OF: dict[str, Literal["project", "user", "site"]] = {
    "# pyproject.toml": "project",
    "# ~/.jupyter/vibekit.toml": "user",
    "# /etc/jupyter/vibekit.toml": "site",
}

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)


def lines(kind: Callable[[Document], list[str]]) -> list[str]:
    return sorted({line for document in DOCUMENTS for line in kind(document)})


@pytest.mark.parametrize("line", lines(Document.magics))
def test_a_magic_that_is_named_takes_these_options(line: str) -> None:
    name, *words = shlex.split(line.replace("`", ""))
    if name in ("%vibekit?", "%%vibekit?"):
        return
    if name == "%vibekit_session":
        verb = VERBS[words[0]].command if words else VERBS["show"].command
        verb.parse(words[1:], {})
    elif name == "%vibekit_files":
        FILES[words[0] if words else "list"].parse(words[1:], {})
    elif name == "%vibekit_config":
        commands = {"agents": AGENT_PROGRAMS, "key": KEY, "mcp": MCP, "usage": USAGE}
        command = commands.get(words[0] if words else "", CONFIG)
        command.parse(words[command is not CONFIG :], {})
    elif name == "%%vibekit":
        CELL.parse(words, {})
    elif name == "%%vibekit_run":
        RUN.parse(words, {})
    else:
        assert name == "%vibekit"
        LINE.parse_prompt(line.removeprefix(name), {})


@documents
def test_an_option_that_is_named_alone_exists(document: Document) -> None:
    verbs = (verb.command for verb in VERBS.values())
    commands = (CELL, LINE, RUN, CONFIG, AGENT_PROGRAMS, KEY, MCP, USAGE, *FILES.values(), *verbs)
    known = {name for each in commands for argument in each.arguments for name in argument.names}
    for option in re.findall(r"`(--[a-z-]+)[` ]", document.text):
        assert option in known or option == "--nbval", option


@documents
def test_a_variable_that_is_named_is_read(document: Document) -> None:
    for name in re.findall(
        r"\b(?:OPENAI|ANTHROPIC|GEMINI|GOOGLE_GEMINI|VIBEKIT)_[A-Z_]+\b", document.text
    ):
        assert name in VARIABLES or f'"{name}"' in SOURCE, name
    for name in re.findall(r"\bE2B_([A-Z_]+)\b", document.text):
        assert f'"{name.lower()}"' in SOURCE, name


@pytest.mark.parametrize("line", lines(Document.commands))
def test_a_command_line_can_be_typed(line: str, tmp_path: Path) -> None:
    assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z0-9_]+=.*", words[0]):
        assert f'"{words.pop(0).partition("=")[0]}"' in SOURCE
    match words:
        case ["export", setting]:
            name, _, value = setting.partition("=")
            assert value
            if name == "VIBEKIT_PRICES":
                assert json.loads(value)
            known = name.startswith("E2B_") or re.fullmatch(NETWORK, name) or f'"{name}"' in SOURCE
            assert known, name
        case ["pip", "install", *wanted]:
            check_install(wanted)
        case ["python", "-m", module, *rest] if module.startswith("vibekit_jupyter."):
            done = run([sys.executable, "-m", module, *rest], tmp_path)
            stop_local_server(tmp_path / "home")
            assert done.stdout + done.stderr
            assert "Traceback" not in done.stderr
            assert "usage:" not in done.stderr
        case ["python", "-m", "sphinx", *options]:
            assert options[-2] == "docs"
        case ["jupyter", "lab", *notebooks]:
            assert all((REPOSITORY / name).is_file() for name in notebooks)
        case ["jupyter", "nbconvert", *_] | ["pytest", "--nbval", _]:
            lesson(tmp_path / words[-1])
            program = shutil.which(words[0], path=str(Path(sys.executable).parent))
            assert program is not None
            done = run([program, *words[1:]], tmp_path)
            assert done.returncode == 0, done.stderr
        case _:
            pytest.fail(f"Nothing looks at lines like this one: {line}")


def check_install(wanted: list[str]) -> None:
    extras: set[str] = set()
    for word in wanted:
        name, _, extra = word.rstrip("]").partition("[")
        assert name in ("-e", ".", "vibekit-jupyter", "socksio"), word
        extras |= set(filter(None, extra.split(",")))
    assert extras <= PROJECT["optional-dependencies"].keys()


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environment(), "VIBEKIT_HOME": str(folder / "home")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def lesson(path: Path) -> None:
    """Write a notebook that needs nothing but a kernel."""
    cell = nbformat.v4.new_code_cell("%load_ext vibekit_jupyter")  # type: ignore[no-untyped-call]  # its own
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)  # type: ignore[no-untyped-call]  # its own
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]  # its own


@documents
def test_a_block_of_data_can_be_read(document: Document) -> None:
    for block in document.blocks("json"):
        json.loads(block)
    for block in document.blocks("python", "code-cell"):
        if not re.search(r"^%", block, re.MULTILINE) and ":tags:" not in block:
            compile(block, document.name, "exec", flags=0x2000)  # with await, as in a cell


@documents
def test_a_file_of_settings_says_what_it_shall(document: Document, tmp_path: Path) -> None:
    for block in document.blocks("toml"):
        check_settings(block, FILES_OF[block.partition("\n")[0]], tmp_path)


def check_settings(text: str, layer: Literal["project", "user", "site"], folder: Path) -> None:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    file = read(path, layer)
    assert file.error is None, file.error
    assert (file.warnings or [], bool(file.values or file.rules)) == ([], True)


@documents
def test_values_for_a_hub_hold_python_and_settings(document: Document, tmp_path: Path) -> None:
    import yaml

    for block in document.blocks("yaml"):
        values = yaml.safe_load(block)
        for name, code in values["hub"]["extraConfig"].items():
            compile(code, name, "exec")
        for file in values["singleuser"]["extraFiles"].values():
            if file["mountPath"].endswith(".py"):
                compile(file["stringData"], file["mountPath"], "exec")
            else:
                check_settings(file["stringData"], "site", tmp_path)


def test_a_setting_that_a_hint_tells_to_type_can_be_typed() -> None:
    typed = re.findall(r"%vibekit_config (--[a-z-]+)(?: ([\w{]+))?", SOURCE)
    assert typed
    for name, value in typed:
        option = CONFIG.option(name)
        assert option is not None, name
        assert bool(value) == option.takes_value, f"{name} {value}"
