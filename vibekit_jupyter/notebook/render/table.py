"""Separated values as a table, as people have them: commas, semicolons or tabs, in any encoding."""

from __future__ import annotations

import codecs
import csv
import re
from typing import Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.text import escape
from vibekit_jupyter.notebook.render.words import count, plural

__all__ = ["table_html"]

ROWS, COLUMNS, CELL = 10, 12, 60
# In this order: a comma stands in numbers and in sentences, too.
DELIMITERS: Final = ("\t", ";", "|", ",")
BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NUMBER: Final = re.compile(r"\s*[-+−]?[\d.,'\s]*\d(?:[eE][-+]?\d+)?\s*%?\s*")  # noqa: RUF001  # a minus
_BLANK: Final = re.compile(r"\s*(?:nan|na|null|none)?\s*", re.IGNORECASE)


def table_html(data: bytes, size: int) -> str:
    """Return the first rows as a table, and how large the whole is.

    Parameters
    ----------
    data
        The file, or its beginning.
    size
        Of the whole file, in bytes.
    """
    text = decoded(data)
    every = [row for row in csv.reader(text.splitlines(), delimiter=delimiter(text)) if row]
    if not every:
        return f'<div style="{style.QUIET}">no rows</div>'
    width = max(map(len, every[: ROWS + 1]))
    head, *body = every[: ROWS + 1]
    right = [_is_numeric(body, column) for column in range(min(width, COLUMNS))]
    rows = "".join(
        [_row("th", head, width, right), *(_row("td", row, width, right) for row in body)]
    )
    note = _size(len(every) - 1, len(body), width, size if len(data) < size else 0)
    return (
        f'<div tabindex="0" style="overflow-x:auto;max-width:100%">'
        f'<table style="{style.TABLE};width:auto"><tbody>{rows}</tbody></table></div>'
        f'<div style="{style.QUIET}">{note}</div>'
    )


def decoded(data: bytes) -> str:
    """Return a file's text, whichever of the usual encodings it is in."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "ignore")  # it may end in the middle of a character
    if b"\0" in data[:200]:
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "ignore")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def delimiter(text: str) -> str:
    """Return what separates the values: what all the first rows have equally often."""
    lines = text.splitlines()[: ROWS + 1]
    for candidate in DELIMITERS:
        widths = {len(row) for row in csv.reader(lines, delimiter=candidate) if row}
        if len(widths) == 1 and widths != {1}:
            return candidate
    return max(reversed(DELIMITERS), key=(lines or [""])[0].count)


def _is_numeric(body: list[list[str]], column: int) -> bool:
    cells = [row[column] for row in body if column < len(row) and not _BLANK.fullmatch(row[column])]
    return bool(cells) and all(len(cell) <= CELL and _NUMBER.fullmatch(cell) for cell in cells)


def _row(tag: str, row: list[str], width: int, right: list[bool]) -> str:
    cells = [*row[:COLUMNS], *[""] * (min(width, COLUMNS) - len(row))]
    html = "".join(
        _cell(
            tag, f"{cell[:CELL]}…" if len(cell) > CELL else cell, "text-align:right" if end else ""
        )
        for cell, end in zip(cells, right, strict=False)
    )
    more = _cell(tag, "…", "") if width > COLUMNS else ""
    return f'<tr style="background-color:transparent">{html}{more}</tr>'


def _cell(tag: str, text: str, css: str) -> str:
    dim = style.DIM if tag == "th" else ""
    return f'<{tag} style="{style.TABLE_CELL};{css};{dim}">{escape(text)}</{tag}>'


def _size(rows: int, shown: int, columns: int, cut_from: int) -> str:
    if cut_from:
        what = f"the first {plural(shown, 'row')} of {count(cut_from)}B"
    elif shown < rows:
        what = f"{shown} of {rows:,} rows"
    else:
        what = plural(rows, "row")
    return f"{what}, {plural(columns, 'column')}"
