"""The inline styles of everything drawn, in one place.

Front ends differ in which theme they have and in what their sanitisers let through, so text
inherits the page's colour, dimmed by opacity; surfaces and lines are greys with alpha; accents
are mid-tones with a contrast of 4 and more on white and on near-black alike, in words mixed with
the page's own colour. JupyterLab's
variables stand only where one of them says more than that.
"""

from __future__ import annotations

from typing import Final

ACCENT: Final = "#2f7de1"
OK: Final = "#2c8f4b"
BAD: Final = "#d84a42"
WARN: Final = "#a07a12"
NEUTRAL: Final = "rgba(128,128,128,.4)"
# Of a mark or a ring, which has to be seen.
GREY: Final = "rgba(128,128,128,.8)"

SOFT: Final = "rgba(128,128,128,.1)"
LINE: Final = "1px solid rgba(128,128,128,.3)"
ADDED: Final = "rgba(46,160,67,.16)"
REMOVED: Final = "rgba(248,81,73,.16)"

MONO: Final = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px"
SANS: Final = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.5"
DIM: Final = "opacity:.68"
QUIET: Final = f"{DIM};font-size:12px"

CARD: Final = f"border-left:3px solid {{color}};padding:2px 0 2px 12px;margin:0;{SANS}"
# Pieces of a card that is still growing, one below the other: the line at their side has no gap,
# and what is in them stands as far apart as in the whole card.
PIECE: Final = (
    f"border-left:3px solid {{color}};padding:0 0 0 12px;margin:0;display:flow-root;{SANS}"
)
INSIDE: Final = "margin:-3px 0"
ROW: Final = (
    f"display:flex;gap:8px;align-items:center;cursor:pointer;padding:3px 8px;margin:0;"
    f"background-color:{SOFT};border-radius:4px;{MONO};line-height:1.5"
)
# What has a native triangle to open it: a row whose words are ours and that has no mark.
PLAIN_ROW: Final = (
    f"cursor:pointer;padding:3px 8px;margin:0;background-color:{SOFT};border-radius:4px;"
    "font-family:system-ui,sans-serif;font-size:12px;line-height:1.5"
)
SENTENCE: Final = (
    "flex:1 1 auto;min-width:0;overflow-wrap:anywhere;font-family:system-ui,sans-serif;"
    "font-size:12px"
)
LABEL: Final = "flex:1 1 auto;min-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
ASIDE: Final = f"{DIM};white-space:nowrap"
OUTPUT: Final = (
    f"margin:0;padding:6px 8px 6px 24px;{MONO};line-height:1.45;white-space:pre-wrap;"
    "overflow-wrap:anywhere;border:0;background-color:transparent;color:inherit"
)
SCROLLS: Final = "max-height:26em;overflow:auto"
FOLD: Final = f"cursor:pointer;padding:4px 8px 0 24px;{MONO};{DIM}"
DIFF: Final = (
    f"margin:0;padding:0;{MONO};line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border:0;background-color:transparent;color:inherit"
)
# A page may have a colour of its own for code, which its own dark grounds are made for.
CODE: Final = f"{MONO};background-color:{SOFT};color:inherit;border-radius:3px;padding:1px 4px"
SPEECH: Final = "margin:6px 0"
PILL: Final = (
    f"border:{LINE};border-radius:10px;padding:0 7px;font-size:11px;{DIM};white-space:nowrap"
)
TABLE: Final = (
    f"border-collapse:collapse;table-layout:auto;width:100%;margin:2px 0;{SANS};font-size:12px"
)
TABLE_CELL: Final = (
    f"text-align:left;padding:4px 12px 4px 0;border:0;border-bottom:{LINE};font-weight:400;"
    "vertical-align:top"
)


def words(color: str) -> str:
    """Return the style of coloured words: mixed with the page's own colour, where that is known.

    No single colour can be read well both on white and on near-black.
    """
    return f"color:{color};color:color-mix(in srgb,{color} 70%,currentColor)"


def ring(color: str, size: int = 8) -> str:
    """Return the mark of what waits."""
    return (
        f'<span style="display:inline-block;box-sizing:border-box;width:{size}px;height:{size}px;'
        f'border-radius:50%;flex:none;border:2px solid {color}"></span>'
    )


def dot(color: str, size: int = 8) -> str:
    """Return a round mark."""
    return (
        f'<span style="display:inline-block;width:{size}px;height:{size}px;border-radius:50%;'
        f'flex:none;background-color:{color}"></span>'
    )


def span(style: str, html: str) -> str:
    """Return styled words."""
    return f'<span style="{style}">{html}</span>'
