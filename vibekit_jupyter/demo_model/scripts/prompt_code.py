"""A prompt that is code: save it, run it, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.scripts.script import report, run, write

if TYPE_CHECKING:
    from vibekit_jupyter.demo_model.code import Code
    from vibekit_jupyter.demo_model.replay import Plan

__all__ = ["run_code"]

_NOT_FOUND = "127"
_FILES = {
    "python": ("demo_prompt.py", "python3 demo_prompt.py"),
    "shell": ("demo_prompt.sh", "bash demo_prompt.sh"),
    "javascript": ("demo_prompt.js", "node demo_prompt.js"),
    "script": ("demo_prompt", "chmod +x demo_prompt && ./demo_prompt"),
}


def run_code(code: Code) -> Plan:
    """Save the code and run it."""
    path, command = _FILES[code.language]
    written = yield from write(
        path, code.source, f"Your prompt is code, so I save it as {path} and run it."
    )
    if not written.ok:
        return f"I could not write {path}: {written.text}"
    ran = yield from run(command)
    if code.language == "javascript" and _NOT_FOUND in ran.ending:
        return f"I saved your JavaScript as {path}, but there is no `node` here to run it."
    return f"I ran your code. {report(command, ran)}"
