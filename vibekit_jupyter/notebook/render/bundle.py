"""A result of a sandbox in a page: what of it can be shown, and in which of its forms.

All forms are a stranger's. Words are escaped, tables are drawn here from cells of text, pictures
are pictures by their first bytes; what may run has a frame of its own that reaches nothing. What
a front end would run or fetch by its type, such as JavaScript and Vega, is named and not shown.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.limits import drawn
from vibekit_jupyter.notebook.render.text import escape, terminal_html, terminal_text
from vibekit_jupyter.notebook.render.words import count, plural
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vibekit_jupyter.workbench.code.told import Shown

__all__ = ["POLICY", "bundle_html", "bundle_plain"]

TABLE: Final = "application/vnd.vibekit.table+json"
ROWS = COLUMNS = 20
CELL: Final = 100
PICTURE_LIMIT: Final = 5_000_000  # bytes
PAGE_LIMIT: Final = 2_000_000
TEXT_LIMIT: Final = 100_000  # characters
_MAGIC: Final = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_SVG: Final = ("<svg", "<?xml", "<!--", "<!DOCTYPE svg")
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
_FRAME: Final = "box-sizing:border-box;width:100%;background-color:white;color-scheme:light"
_WHITE: Final = "max-width:100%;height:auto;border-radius:4px;background-color:white"


def bundle_html(shown: Shown) -> str:
    """Return a result as HTML, in the first of its forms that can be shown."""
    for mime, draw in _DRAWN.items():
        if (form := shown.data.get(mime)) is None:
            continue
        page = drawn(lambda draw=draw, form=form: draw(form), str)  # type: ignore[misc]  # bound now
        if page:
            return f'<div style="{style.SPEECH}">{page}</div>'
    return f'<div style="{style.QUIET};margin:6px 0">{escape(_named(shown))}</div>'


def bundle_plain(shown: Shown) -> str:
    """Return a result as text."""
    for mime in ("text/plain", "text/markdown", "text/latex", "application/json"):
        if (text := shown.data.get(mime)) is not None:
            return terminal_text(_cut(text))
    return f"[{terminal_text(_named(shown))}]"


def _named(shown: Shown) -> str:
    """Say what there is that cannot be shown."""
    sizes = {mime: len(form) for mime, form in shown.data.items()} | dict(shown.left)
    kinds = [f"{mime} ({count(size)}B)" if size else mime for mime, size in sizes.items()]
    return f"not shown here: {', '.join(kinds[:5])}"


def _cut(text: str) -> str:
    kept = BoundedText.of(TEXT_LIMIT)
    kept.append(text)
    return str(kept)


def _plain(text: str) -> str:
    return f'<pre style="{style.OUTPUT};padding-left:0">{terminal_html(_cut(text))}</pre>'


def _picture(mime: str) -> Callable[[str], str]:
    def draw(form: str) -> str:
        try:
            data = base64.b64decode("".join(form.split()), validate=True)
        except (binascii.Error, ValueError):
            return ""
        if not data.startswith(_MAGIC[mime]) or len(data) > PICTURE_LIMIT:
            return ""
        return _image(mime, data)

    return draw


def _svg(form: str) -> str:
    """Return a drawing as a picture: so browsers run and fetch nothing of it."""
    data = form.encode()
    if not form.lstrip().startswith(_SVG) or len(data) > PAGE_LIMIT:
        return ""
    return _image("image/svg+xml", data)


def _image(mime: str, data: bytes) -> str:
    # Encoded anew: what stands in the attribute is base64 and nothing else.
    encoded = base64.b64encode(data).decode()
    return f'<img src="data:{mime};base64,{encoded}" alt="figure" style="{_WHITE}">'


def _page(form: str) -> str:
    """Return a page in a frame within a frame.

    The inner one may run scripts, and reaches nothing: its origin is its own. It could still lead
    itself elsewhere, and tell what it knows by the address; the outer one's policy forbids that.
    """
    if len(form) > PAGE_LIMIT:
        return ""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    inner = (
        f'{policy}<body style="margin:0"><iframe sandbox="allow-scripts" '
        f'style="{_FRAME};height:100vh;border:0;display:block" '
        f'srcdoc="{html.escape(policy + form)}"></iframe>'
    )
    look = f"{_FRAME};height:320px;resize:vertical;border:{style.LINE};border-radius:4px"
    return (
        f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(inner)}" '
        f'title="a page of the sandbox" style="{look}"></iframe>'
    )


def _markdown(form: str) -> str:
    from vibekit_jupyter.notebook.render.markdown import markdown_html

    return markdown_html(_cut(form))


def _latex(form: str) -> str:
    """Return a formula as those of a model are: read here, and cleaned of links and scripts."""
    text = form.strip()
    return _markdown(text if text.startswith(("$", "\\(", "\\[")) else f"$${text}$$")


def _json(form: str) -> str:
    return _plain(json.dumps(json.loads(form), indent=2, ensure_ascii=False)[: 2 * TEXT_LIMIT])


def _table(form: str) -> str:
    """Return a data frame's first cells as a table; nothing where it is none."""
    table = json.loads(form)
    columns = _texts(table["columns"], COLUMNS)
    rows = [_texts(row, len(columns)) for row in table["rows"][:ROWS]]
    index = None if table["index"] is None else _texts(table["index"], len(rows))
    height, width = (_whole(number) for number in table["shape"])
    right = [one is True for one in table["numeric"]]
    sides = [*right, *[False] * len(columns)][: len(columns)]
    head = _row("th", None if index is None else "", columns, sides)
    body = "".join(
        _row("td", None if index is None else index[number], row, sides)
        for number, row in enumerate(rows)
    )
    size = f"{len(rows)} of {height:,} rows" if len(rows) < height else plural(height, "row")
    wide = f"{len(columns)} of " if len(columns) < width else ""
    return (
        f'<div tabindex="0" style="overflow-x:auto;max-width:100%">'
        f'<table style="{style.TABLE};width:auto"><tbody>{head}{body}</tbody></table></div>'
        f'<div style="{style.QUIET}">{size}, {wide}{plural(width, "column")}</div>'
    )


def _texts(values: Any, most: int) -> list[str]:
    """Return texts of a list that may hold anything."""
    if not isinstance(values, list):
        raise TypeError("not a list of cells")
    texts = [value if isinstance(value, str) else "" for value in values[:most]]
    return [text if len(text) <= CELL else f"{text[: CELL - 1]}…" for text in texts]


def _whole(number: object) -> int:
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError("not a number of rows or columns")
    return number


def _row(tag: str, label: str | None, cells: list[str], right: list[bool]) -> str:
    first = "" if label is None else _cell("th", label, "")
    rest = "".join(
        _cell(tag, cell, "text-align:right" if end else "")
        for cell, end in zip(cells, right, strict=False)
    )
    return f'<tr style="background-color:transparent">{first}{rest}</tr>'


def _cell(tag: str, text: str, css: str) -> str:
    dim = style.DIM if tag == "th" else ""
    return f'<{tag} style="{style.TABLE_CELL};{css};{dim}">{escape(text)}</{tag}>'


# In this order: the first form that is there, and can be shown, is.
_DRAWN: Final[Mapping[str, Callable[[str], str]]] = {
    TABLE: _table,
    "image/png": _picture("image/png"),
    "image/jpeg": _picture("image/jpeg"),
    "image/svg+xml": _svg,
    "text/html": _page,
    "text/markdown": _markdown,
    "text/latex": _latex,
    "application/json": _json,
    "text/plain": _plain,
}
