"""Something to show: HTML for a notebook, and its plain-text twin for everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Rendered"]

BEFORE_BLANK_LINE: Final = re.compile(r"(?:\r\n?|\n)(?=[ \t]*[\r\n])")


@dataclass(frozen=True, repr=False)
class Rendered:
    """What a cell shows.

    Attributes
    ----------
    plain
        The text for terminals, tests and plain front ends.
    html
        Safe HTML: inline styles only, nothing that runs or fetches.
    metadata
        Output metadata, for programs that read the notebook.
    """

    plain: str
    html: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def bundle(self) -> dict[str, str]:
        """Return the data as a MIME bundle.

        The HTML has no blank line: in a notebook exported as Markdown, what follows one would
        be Markdown, an image from anywhere included.
        """
        html = BEFORE_BLANK_LINE.sub("&#10;", self.html)
        return {"text/html": html, "text/plain": self.plain}

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, Any]]:
        """Give IPython both forms; it filters by what it includes and excludes itself."""
        return self.bundle(), self.metadata

    def __repr__(self) -> str:
        return self.plain
