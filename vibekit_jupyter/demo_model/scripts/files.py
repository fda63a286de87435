"""Files by name: list them, show one, write one, run one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.scripts.script import (
    FILE,
    Script,
    fenced,
    interpreter_of,
    list_files,
    quoted,
    read,
    report,
    run,
    write,
)

if TYPE_CHECKING:
    import re

    from vibekit_jupyter.demo_model.replay import Plan, Turn

__all__ = ["SCRIPTS"]


def list_them(_turn: Turn, _match: re.Match[str]) -> Plan:
    """List the files of the session."""
    listed = yield from list_files(".", "I list the files.")
    if not listed.ok:
        return f"I could not list the files: {listed.text}"
    if not listed.text.strip():
        return "There are no files here yet."
    return f"These files are here:\n\n{fenced(listed.text)}"


def show(_turn: Turn, match: re.Match[str]) -> Plan:
    """Show a file."""
    path = match["file"]
    found = yield from read(path, f"I read {path}.")
    if not found.ok:
        return f"I could not read {path}: {found.text}"
    return f"{path} holds:\n\n{fenced(found.text)}"


def write_words(_turn: Turn, match: re.Match[str]) -> Plan:
    """Write a file that holds a text."""
    path, text = match["file"], quoted(match["text"])
    written = yield from write(path, f"{text}\n", f"I write {path}.")
    return f"I wrote {path}." if written.ok else f"I could not write {path}: {written.text}"


def write_printer(_turn: Turn, match: re.Match[str]) -> Plan:
    """Write a program that prints a text, and run it where that is asked for."""
    path, text = match["file"], quoted(match["text"])
    written = yield from write(path, f"print({text!r})\n", f"I write {path}.")
    if not written.ok:
        return f"I could not write {path}: {written.text}"
    if not match["run"]:
        return f"I wrote {path}; I did not run it."
    command = interpreter_of(path) or ""
    return f"I wrote {path}. {report(command, (yield from run(command)))}"


def run_it(_turn: Turn, match: re.Match[str]) -> Plan:
    """Run a file."""
    path = match["file"]
    command = interpreter_of(path)
    if command is None:
        return f"I do not know how to run {path}."
    return report(command, (yield from run(command, f"I run {path}.")))


_QUOTED = r"(?P<text>\"[^\"]*\"|'[^']*'|“[^”]*”|`[^`]*`)"

SCRIPTS = (
    Script(
        r"(?:(?:list|show)(?: me)?(?: all)?(?: the| my)? files(?: here)?"
        r"|(?:what|which) files (?:are|do (?:we|you|i) have)(?: (?:here|there))?"
        r"|what is (?:here|in this (?:folder|session|sandbox)))",
        list_them,
        "List the files",
    ),
    Script(
        rf"(?:show|read|open|cat)(?: me)?(?: the)?(?: file)? {FILE}",
        show,
        "Show primes.py",
    ),
    Script(
        r"(?:write|create|make) (?:a (?:file|program|script) )?"
        r"[`'\"]?(?P<file>[\w/][\w./-]*\.py)[`'\"]? (?:that|which|to) prints? "
        rf"{_QUOTED}(?P<run>,? (?:and |then )+(?:run|execute) it)?",
        write_printer,
        'Write hello.py that prints "Hello", and run it',
    ),
    Script(
        rf"(?:write|create|make) (?:a file )?{FILE} (?:(?:that|which) (?:says|contains|holds)"
        r"|(?:containing|saying|with the (?:text|words?|line))) (?P<text>.+?)",
        write_words,
        'Write notes.md that says "Project A"',
    ),
    Script(
        rf"(?:run|execute) {FILE}(?: again)?",
        run_it,
        "Run primes.py",
    ),
)
