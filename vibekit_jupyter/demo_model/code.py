"""Is a prompt code, and which? Prose that happens to parse as Python is not."""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
import warnings
from dataclasses import dataclass
from typing import Literal

__all__ = ["Code", "Language", "find_code", "is_only_comments", "is_python"]

Language = Literal["python", "shell", "javascript", "script"]

_FENCE = re.compile(r"(?P<fence>`{3,9}|~{3,9})[ \t]*(?P<language>[\w+-]*)")
_LANGUAGES: dict[str, Language] = {
    "py": "python",
    "python": "python",
    "python3": "python",
    "bash": "shell",
    "sh": "shell",
    "shell": "shell",
    "zsh": "shell",
    "console": "shell",
    "js": "javascript",
    "javascript": "javascript",
}
_DOING = (
    ast.AnnAssign,
    ast.Assign,
    ast.AsyncFunctionDef,
    ast.AugAssign,
    ast.Call,
    ast.ClassDef,
    ast.FunctionDef,
    ast.Import,
    ast.ImportFrom,
    ast.NamedExpr,
)
_WORDS = (ast.In, ast.NotIn, ast.Is, ast.IsNot)


@dataclass(frozen=True)
class Code:
    """Code to run; a ``script`` names its own interpreter in its first line."""

    language: Language
    source: str


def find_code(prompt: str) -> Code | None:
    """Return the code that a prompt is, or that its first fenced block holds; else None.

    A block without a language is Python where it can be, else shell.
    """
    if block := _first_block(prompt):
        return _of_language(*block)
    source = textwrap.dedent(prompt).strip("\n") + "\n"
    if source.startswith("#!"):
        return Code("script", source)
    if commands := _after_dollar(source):
        return Code("shell", commands)
    if re.match(r"\s*console\.\w+\(", source):
        return Code("javascript", source)
    return Code("python", source) if is_python(source) else None


def is_only_comments(prompt: str) -> bool:
    """Whether a prompt is nothing but ``#`` comments."""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    return bool(lines) and all(line.startswith("#") for line in lines)


def is_python(source: str) -> bool:
    """Whether a text parses as Python and does something there.

    ``hello`` and ``bread, butter`` parse, and so do ``Note: tests`` and ``tests in main()``:
    without a call, an import, a definition or an assignment, or with operators that are
    English words, it is taken for prose.
    """
    try:
        with warnings.catch_warnings():
            # What somebody's code is warned for is not this server's business.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(node, _DOING)
        for statement in tree.body
        if not _is_prose(statement)
        for node in ast.walk(statement)
    )


def _is_prose(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None
    if not isinstance(statement, ast.Expr):
        return False
    match statement.value:
        case ast.Compare(ops=operators):
            return any(isinstance(operator, _WORDS) for operator in operators)
        case ast.UnaryOp(op=operator):
            return isinstance(operator, ast.Not)
        case ast.BoolOp() | ast.IfExp() | ast.Tuple():
            return True
    return False


def _first_block(prompt: str) -> tuple[str, str] | None:
    """Return language and source of the first fenced block; one left open goes to the end."""
    lines = iter(prompt.split("\n"))
    fence = next(filter(None, map(_FENCE.match, lines)), None)
    if fence is None:
        return None
    block = itertools.takewhile(lambda line: line.rstrip() != fence["fence"], lines)
    return fence["language"].lower(), "".join(f"{line}\n" for line in block)


def _of_language(name: str, source: str) -> Code | None:
    if language := _LANGUAGES.get(name):
        if language == "shell" and (commands := _after_dollar(source)):
            return Code("shell", commands)
        return Code(language, source)
    if name or not source.strip():
        return None
    return find_code(source) or Code("shell", source)


def _after_dollar(source: str) -> str:
    """Return the commands of a console's transcript, empty where it is none."""
    if not source.lstrip().startswith("$ "):
        return ""
    lines = (line.strip() for line in source.splitlines())
    return "".join(f"{line[2:]}\n" for line in lines if line.startswith("$ "))
