"""A run as Markdown for a file of one's own, in which nothing is fetched when it is read.

The model's words stay Markdown where nothing in them is a picture, HTML, or a part of what
stands beside them. All else stands in fences, as it is.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from vibekit_jupyter.notebook.render.limits import check_time, drawn
from vibekit_jupyter.notebook.render.plain import block_plain, foot_plain, head_plain
from vibekit_jupyter.notebook.render.text import visible
from vibekit_jupyter.notebook.render.transcript import Text
from vibekit_jupyter.notebook.render.words import plural

if TYPE_CHECKING:
    from markdown_it.token import Token

    from vibekit_jupyter.notebook.render.transcript import Block, Transcript

__all__ = ["inert", "to_markdown"]

MOST = 100_000
END = "the end of it"


def to_markdown(transcript: Transcript) -> str:
    """Return the whole run as Markdown."""
    parts = [fenced(head_plain(transcript))]
    if transcript.omitted:
        parts.append(f"({plural(transcript.omitted, 'earlier part')} left out)")
    for spoken, group in groupby(transcript.blocks, key=lambda block: isinstance(block, Text)):
        blocks = list(group)
        parts += _words(blocks) if spoken else [fenced("".join(map(block_plain, blocks)))]
    if transcript.finished and transcript.finished.error:
        parts.append(fenced(transcript.finished.error))
    parts.append(fenced(foot_plain(transcript)))
    return "\n\n".join(part for part in parts if part)


def _words(blocks: list[Block]) -> list[str]:
    return [inert(str(block.text).strip()) for block in blocks if isinstance(block, Text)]


def inert(source: str) -> str:
    """Return Markdown that fetches nothing, wherever it is put: as it is, or in a fence."""
    source = visible(source)
    return drawn(lambda: source if _is_inert(source) else fenced(source), lambda: fenced(source))


def fenced(text: str) -> str:
    """Return text in a fence that nothing in it can close."""
    text = visible(text).strip("\n")
    if not text.strip():
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _is_inert(source: str) -> bool:
    if len(source) > MOST:
        return False
    check_time()
    tokens = _parser().parse(f"{source}\n\n{END}")
    # What does not end by itself would take in what follows.
    closed = len(tokens) >= 3 and tokens[-2].content == END and tokens[-2].level == 1
    return closed and all(map(_does_nothing, tokens))


def _does_nothing(token: Token) -> bool:
    # An address for "![…]" may stand elsewhere in the file.
    picture = token.type == "image" or (token.type == "text" and "![" in token.content)
    html = token.type in ("html_block", "html_inline")
    return not picture and not html and all(map(_does_nothing, token.children or ()))


@cache
def _parser() -> MarkdownIt:
    from vibekit_jupyter.notebook.render.markdown import in_time

    return in_time(MarkdownIt("commonmark").enable(["table", "strikethrough"]))
