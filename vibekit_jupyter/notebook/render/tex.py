"""TeX in a model's words as MathML, which browsers draw by themselves.

No script is needed for it, so that it is the same in a live notebook, in one that is opened again
and in an exported page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.limits import check_time
from vibekit_jupyter.notebook.render.text import escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

__all__ = ["ATTRIBUTES", "TAGS", "math_html", "with_math"]

MOST: Final = 1_000  # characters of a formula
MOST_NESTED: Final = 30

TAGS: Final = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot"),
        *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts"),
        *(
            "mprescripts",
            "none",
            "mtable",
            "mtr",
            "mtd",
            "mstyle",
            "mpadded",
            "mphantom",
            "menclose",
        ),
    }
)
ATTRIBUTES: Final = {
    **{tag: {"mathvariant", "displaystyle", "scriptlevel"} for tag in TAGS},
    "math": {"display", "style"},
    "mo": {"stretchy", "fence", "form", "separator", "largeop", "movablelimits", "lspace", "rspace",
           "minsize", "maxsize", "symmetric", "accent", "mathvariant"},
    "mspace": {"width", "height", "depth"},
    "mfrac": {"linethickness"},
    "mtable": {"columnalign", "rowspacing", "columnspacing", "columnlines", "rowlines"},
    "mtd": {"columnalign"},
    "munder": {"accentunder"},
    "mover": {"accent"},
    "mpadded": {"width", "height", "depth", "lspace", "voffset"},
    "menclose": {"notation"},
}  # fmt: skip
_FONTS: Final = "font-family:Cambria Math,STIX Two Math,Latin Modern Math,Libertinus Math,math"
_INLINE: Final = re.compile(
    # Money is no math: nothing blank inside the signs, and no word or number behind them.
    r"\$(?![\s$])((?:[^$\\]|\\.)*?)(?<!\s)\$(?!\w)|\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$(.+?)\$\$",
    re.DOTALL,
)
_BLOCKS: Final = {"$$": "$$", "\\[": "\\]"}


def math_html(tex: str, *, display: bool) -> str:
    """Return a formula as MathML, or as it is written where it cannot be read."""
    tex = tex.strip()
    try:
        check_time()
        markup = _converted(tex, display=display)
    except Exception:  # noqa: BLE001  (whatever the library stumbles over)
        return f'<code style="{style.CODE}">{escape(tex)}</code>'
    size = "font-size:16px;margin:8px 0" if display else "font-size:14px"
    kind = "block" if display else "inline"
    attributes = f'display="{kind}" style="{_FONTS};{size};color:inherit"'
    return re.sub(r"^<math[^>]*>", f"<math {attributes}>", markup)


def _converted(tex: str, *, display: bool) -> str:
    depth = deepest = 0
    for sign in tex:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        deepest = max(deepest, depth)
    nested = deepest + tex.count("\\left") + tex.count("\\begin")
    if not tex or len(tex) > MOST or nested > MOST_NESTED:
        raise ValueError("no formula that people write")
    from latex2mathml.converter import convert

    markup = str(convert(tex, display="block" if display else "inline"))
    # What it does not know stays TeX, and JupyterLab would typeset what it takes for TeX.
    if re.search(r"[$\\]|&#(x0*(24|5c)|0*(36|92));", markup, re.IGNORECASE):
        raise ValueError("not all of it is known")
    return markup


def with_math(parser: MarkdownIt) -> MarkdownIt:
    """Have a parser find formulas: between dollar signs, and in TeX's own brackets."""
    parser.inline.ruler.before("escape", "math", _inline)
    parser.block.ruler.before("fence", "math", _block, {"alt": ["paragraph", "list", "blockquote"]})
    return parser


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # as markdown-it calls it
    if state.src[state.pos] not in "$\\":
        return False
    match = _INLINE.match(state.src, state.pos, min(state.posMax, state.pos + MOST + 4))
    if match is None:
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.content = next(filter(None, match.groups()))
        token.info = "block" if match[3] or match[4] else ""
    state.pos = match.end()
    return True


def _block(state: StateBlock, line: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    first = _line(state, line)
    closing = _BLOCKS.get(first[:2])
    if closing is None:
        return False
    lines = [first[2:]]
    last = line
    while not lines[-1].rstrip().endswith(closing):
        last += 1
        if last >= end or sum(map(len, lines)) > MOST or state.isEmpty(last):
            return False
        lines.append(_line(state, last))
    if silent:
        return True
    token = state.push("math", "math", 0)
    token.content = "\n".join(lines).rstrip()[: -len(closing)]
    token.info = "block"
    token.map = [line, last + 1]
    state.line = last + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
