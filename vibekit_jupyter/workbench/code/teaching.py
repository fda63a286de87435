"""Modules of ours as texts, for an interpreter: both sides read and write data by the same ones."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Lesson", "lesson"]

ROOT: Final = "vibekit_jupyter"
FIRST: Final = f"{ROOT}.workbench.data.in_interpreter"
IMPORTS: Final = re.compile(rf"^ *from ({ROOT}[.\w]*) import (?:\(([^)]*)\)|(.*))\n", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """A package as an interpreter takes it in.

    Attributes
    ----------
    package
        Its name there, which no other version has.
    module
        The one that says what can be asked for.
    texts
        By their names, the modules; a package is empty.
    """

    package: str
    module: str
    texts: Mapping[str, str]


@functools.cache
def lesson() -> Lesson:
    """Return the modules by which an interpreter reads and writes data, and what these import."""
    found: dict[str, str] = {}
    waiting = [FIRST]
    while waiting:
        name = waiting.pop()
        if name not in found and (text := _text(name)) is not None:
            found[name] = text
            waiting += _imported(text)
    for name in list(found):
        while "." in name:
            name = name.rpartition(".")[0]  # noqa: PLW2901  (from the inside out)
            found[name] = ""
    digest = hashlib.sha256("".join(map("".join, sorted(found.items()))).encode()).hexdigest()
    package = f"_vibekit_{digest[:12]}"
    texts = {
        name.replace(ROOT, package, 1): text.replace(ROOT, package) for name, text in found.items()
    }
    return Lesson(package, FIRST.replace(ROOT, package, 1), texts)


def _imported(text: str) -> Iterator[str]:
    """Yield what may be the name of a module that is imported."""
    for module, many, one in IMPORTS.findall(text):
        yield module
        for name in (many or one).split(","):
            yield f"{module}.{name.partition('#')[0].strip()}"


def _text(name: str) -> str | None:
    """Return the text of a module; None where there is none of this name."""
    *folders, last = name.split(".")[1:] or [""]
    file = importlib.resources.files(ROOT).joinpath(*folders, f"{last}.py")
    return file.read_text(encoding="utf-8") if file.is_file() else None
