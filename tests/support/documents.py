"""The README and the pages of the documentation, as texts with blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["DOCUMENTS", "README", "REPOSITORY", "Document"]

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```+\s*\{?([\w-]+)\}?[^\n]*\n(.*?)^\1```+$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """A Markdown file of the repository."""

    path: Path

    @property
    def name(self) -> str:
        """Its path, from the repository on."""
        return str(self.path.relative_to(REPOSITORY))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    def blocks(self, *languages: str) -> list[str]:
        """Return its blocks of code in these languages."""
        return [code for _, language, code in BLOCK.findall(self.text) if language in languages]

    def magics(self) -> list[str]:
        """Return the lines with magics of ours, in words and in blocks."""
        words = re.findall(r"`(%%?vibekit[^`]*)`", BLOCK.sub("", self.text))
        blocks = "\n".join(self.blocks("python", "ipython", "code-cell")).split("\n")
        return [*words, *(line for line in blocks if re.match(r"%%?vibekit", line))]

    def commands(self) -> list[str]:
        """Return the lines for a shell."""
        return [line for block in self.blocks("bash") for line in block.splitlines() if line]


README = Document(REPOSITORY / "README.md")
DOCUMENTS = [README, *map(Document, sorted((REPOSITORY / "docs").rglob("[!_]*.md")))]
