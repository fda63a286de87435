"""A model's Markdown as safe HTML.

A parser with HTML switched off, then a sanitiser with a short list of what may be there:
JupyterLab runs scripts, fetches images and obeys attributes found in the output of a live
cell, and a model's words are whatever somebody made it say.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

from vibekit_jupyter.notebook.render import style, tex
from vibekit_jupyter.notebook.render.code import code_html
from vibekit_jupyter.notebook.render.limits import check_time, drawn, is_deep
from vibekit_jupyter.notebook.render.tex import math_html, with_math
from vibekit_jupyter.notebook.render.text import escape, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

__all__ = ["in_time", "markdown_html"]

# Characters: of the source, and of what it would be, for a link's address may be said a
# thousand times.
MOST: Final = 100_000
MOST_DRAWN: Final = 2_000_000
PLAIN: Final = f"{style.SPEECH};white-space:pre-wrap;overflow-wrap:anywhere"

SCHEMES: Final = frozenset({"http", "https", "mailto"})
_CELL: Final = f"text-align:left;padding:3px 12px 3px 0;border-bottom:{style.LINE};border-top:0"
_PRE: Final = (
    f"margin:6px 0;padding:6px 8px;{style.MONO};line-height:1.45;white-space:pre-wrap;"
    f"overflow-wrap:anywhere;background-color:{style.SOFT};border-radius:4px;border:0;"
    "color:inherit"
)
# A heading is a bold line: the answer in a cell is no chapter of the notebook, and JupyterLab
# would list it in the table of contents.
_STYLES: Final = {
    **{f"h{level}": "font-weight:600;margin:10px 0 4px" for level in range(1, 7)},
    "p": style.SPEECH,
    "ul": "margin:6px 0;padding-left:22px",
    "ol": "margin:6px 0;padding-left:22px",
    "blockquote": (
        f"margin:6px 0;padding:0 0 0 10px;border-left:3px solid {style.NEUTRAL};border-right:0"
    ),
    "table": "border-collapse:collapse;margin:6px 0;font-size:12px;table-layout:auto",
    "th": f"{_CELL};{style.DIM};font-weight:600",
    "td": _CELL,
    "tr": "background-color:transparent",
    "hr": f"border:0;border-top:{style.LINE};margin:10px 0",
}
_TAGS: Final = frozenset(_STYLES) | {
    *("a", "br", "code", "del", "div", "em", "li", "pre", "s", "span", "strong"),
    *("tbody", "thead"),
}
_PROPERTIES: Final = frozenset(
    {
        *("background-color", "border", "border-bottom", "border-collapse", "border-left"),
        *("border-radius", "border-right", "border-top", "color", "font-family", "font-size"),
        *("font-style", "font-weight", "line-height", "margin", "opacity", "overflow-wrap"),
        *("list-style", "max-width", "overflow-x", "padding", "padding-left", "table-layout"),
        *("text-align", "white-space"),
    }
)
_ATTRIBUTES: Final = {
    **tex.ATTRIBUTES,
    "*": {"style"},
    "a": {"href", "title"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "div": {"tabindex"},
}
_FORMULAS: Final = f"{style.OUTPUT};padding:2px 0"
_CHECKS: Final = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # markdown-it's own name
        """Let only the schemes through that do nothing until they are clicked."""
        scheme, colon, _ = url.strip().partition(":")
        return bool(colon) and scheme.lower() in SCHEMES


class _Renderer(RendererHTML):
    def text(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return escape(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return f'<code style="{style.CODE}">{escape(tokens[idx].content)}</code>'

    def fence(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        language = tokens[idx].info.split(maxsplit=1)[0] if tokens[idx].info.strip() else ""
        return f'<pre style="{_PRE}">{code_html(tokens[idx].content, language)}</pre>\n'

    def math(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return math_html(tokens[idx].content, display=tokens[idx].info == "block")

    def code_block(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return f'<pre style="{_PRE}">{code_html(tokens[idx].content)}</pre>\n'

    def image(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        """Name the picture: to draw it would be to fetch it."""
        token = tokens[idx]
        return style.span(style.DIM, escape(f"[image: {token.content or token.attrGet('src')}]"))

    def renderToken(  # noqa: N802  # markdown-it's own name
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        check_time()
        token = tokens[idx]
        if token.nesting >= 0 and token.tag in _STYLES:
            alignment = token.attrGet("style")
            token.attrSet("style", f"{_STYLES[token.tag]};{alignment or ''}")
        if re.fullmatch("h[1-6]", token.tag):
            token.tag = "div"
        if token.type == "list_item_open" and _check(tokens, idx):
            token.attrSet("style", "list-style:none")
        html = super().renderToken(tokens, idx, options, env)
        # A wide table scrolls by itself; it can be reached with the keyboard.
        if token.type == "table_open":
            return f'<div tabindex="0" style="overflow-x:auto;max-width:100%">{html}'
        return f"{html}</div>" if token.type == "table_close" else html


def _check(tokens: Sequence[Token], item: int) -> bool:
    """Turn the beginning of a list's item into a box, ticked or not, if it stands for one."""
    for token in tokens[item + 1 : item + 3]:
        first = token.children[0] if token.children else None
        if token.type == "inline" and first and first.type == "text":
            box = _CHECKS.get(first.content[:4])
            if box:
                first.content = box + first.content[4:]
            return box is not None
    return False


def _in_time(_state: StateInline, _silent: bool) -> bool:  # noqa: FBT001  # as markdown-it calls it
    check_time()
    return False


def _block_in_time(_state: StateBlock, _line: int, _end: int, _silent: bool) -> bool:  # noqa: FBT001
    check_time()
    return False


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False}, renderer_cls=_Renderer)
    return with_math(in_time(parser.enable(["table", "strikethrough"])))


def in_time(parser: MarkdownIt) -> MarkdownIt:
    """Have a parser stop when its time is over, by rules that match nothing."""
    parser.inline.ruler.before("text", "time", _in_time)
    parser.block.ruler.before("table", "time", _block_in_time)
    return parser


def markdown_html(source: str) -> str:
    """Return Markdown as HTML that shows and does nothing else."""
    return drawn(
        lambda: _rendered(visible(source)),
        lambda: f'<div style="{PLAIN}">{escape(source.strip())}</div>',
    )


def _rendered(source: str) -> str:
    if len(source) > MOST:
        raise ValueError("too long to be parsed")
    tokens = _parser().parse(source)
    if sum(map(_size, tokens)) > MOST_DRAWN:
        raise ValueError("too long to be drawn")
    page = _parser().renderer.render(tokens, _parser().options, {})
    if is_deep(page):
        raise ValueError("nested too deeply")
    safe = nh3.clean(
        page,
        tags={*_TAGS, *tex.TAGS},
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        filter_style_properties=set(_PROPERTIES),
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return safe + _as_tex(tokens)


def _as_tex(tokens: Sequence[Token]) -> str:
    """Return the formulas that stand by themselves as TeX: some front ends draw no MathML."""
    formulas = [
        token.content.strip()
        for outer in tokens
        for token in (outer, *(outer.children or ()))
        if token.type == "math" and token.info == "block"
    ]
    if not formulas:
        return ""
    text = escape("\n\n".join(formulas))
    return (
        f'<details style="margin:0"><summary style="cursor:pointer;{style.QUIET}">as TeX</summary>'
        f'<pre style="{_FORMULAS}">{text}</pre></details>'
    )


def _size(token: Token) -> int:
    """Return about how many characters a token is as HTML."""
    attributes = sum(len(str(value)) for value in token.attrs.values())
    return 50 + len(token.content) + attributes + sum(map(_size, token.children or ()))
