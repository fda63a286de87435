"""In which forms a value or an error is sent: the part of the driver that knows the libraries.

This runs in the sandbox, with nothing but the standard library (3.8 and up). See ``driver_script``.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import traceback
from typing import Any

TABLE = "application/vnd.vibekit.table+json"
ROWS = COLUMNS = 20
CELL = 100
MOST = {"image/png": 7000000, "image/jpeg": 7000000, "text/plain": 100000}
MOST_ELSE = 2100000
MOST_TYPES = 20
MOST_TRACEBACK = 20000
FRAMES = 30
OWN = "<vibekit>"


def cell_text(value: Any) -> str:
    """Return a table's cell as a short text."""
    text = "%.6g" % value if isinstance(value, float) else str(value)
    return text if len(text) <= CELL else text[: CELL - 1] + "\u2026"


def table_of(value: Any) -> dict[str, Any] | None:
    """Return the first rows and columns of a data frame as texts; None for anything else."""
    home = type(value).__module__.partition(".")[0]
    kind = type(value).__name__
    if home == "pandas" and kind in ("DataFrame", "Series"):
        frame = value.to_frame() if kind == "Series" else value
        head = frame.iloc[:ROWS, :COLUMNS]
        index = [cell_text(label) for label in head.index]
        columns = [head.iloc[:, at] for at in range(head.shape[1])]
        kinds = [str(getattr(column.dtype, "kind", "O")) for column in columns]
    elif home == "polars" and kind in ("DataFrame", "Series"):
        frame = value.to_frame() if kind == "Series" else value
        head = frame[:ROWS, :COLUMNS]
        index = None
        columns = [head[:, at] for at in range(head.shape[1])]
        kinds = ["i" if column.dtype.is_numeric() else "O" for column in columns]
    else:
        return None
    texts = [[cell_text(item) for item in column] for column in columns]
    return {
        "columns": [cell_text(name) for name in head.columns],
        "index": index,
        "rows": [[column[row] for column in texts] for row in range(head.shape[0])],
        "numeric": [one in "iufc" for one in kinds],
        "shape": [int(frame.shape[0]), int(frame.shape[1])],
    }


def figure_png(figure: Any) -> bytes:
    """Return a matplotlib figure as PNG."""
    target = io.BytesIO()
    figure.savefig(target, format="png", bbox_inches="tight")
    return target.getvalue()


def own_forms(value: Any) -> dict[str, Any]:
    """Return the forms of a value that we know better than it does itself."""
    found: dict[str, Any] = {}
    try:
        table = table_of(value)
        if table is not None:
            found[TABLE] = table
        backend = sys.modules.get("matplotlib.figure")
        if backend is not None and isinstance(value, backend.Figure):
            found["image/png"] = figure_png(value)
    except Exception:
        return {}  # it has its words
    return found


def plain_forms(value: Any) -> dict[str, Any]:
    """Return what a value says of itself, where there is no IPython to ask it."""
    found: dict[str, Any] = {"text/plain": repr(value)}
    for method, mime in (
        ("_repr_html_", "text/html"),
        ("_repr_markdown_", "text/markdown"),
        ("_repr_svg_", "image/svg+xml"),
        ("_repr_png_", "image/png"),
        ("_repr_jpeg_", "image/jpeg"),
        ("_repr_latex_", "text/latex"),
        ("_repr_json_", "application/json"),
        ("_repr_mimebundle_", ""),
    ):
        ask = getattr(type(value), method, None)
        if ask is None:
            continue
        try:
            form = ask(value)
        except Exception:
            form = None
        if isinstance(form, tuple):
            form = form[0]
        if form is not None and mime:
            found[mime] = form
        elif isinstance(form, dict):
            found.update(form)
    return found


def sendable(bundle: dict[Any, Any]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the forms that can be sent as texts, and the sizes of those that are too large."""
    texts: dict[str, str] = {}
    left: dict[str, int] = {}
    for mime, value in list(bundle.items())[:MOST_TYPES]:
        if not isinstance(mime, str) or len(mime) > 200:
            continue
        form = form_text(mime, value)
        most = MOST.get(mime, MOST_ELSE)
        if form is not None and mime == "text/plain" and len(form) > most:
            form = form[: most // 3] + "\n\u2026\n" + form[-most // 3 :]
        if form is None or len(form) > most:
            left[mime] = len(form or "")
        else:
            texts[mime] = form
    return texts, left


def form_text(mime: str, value: Any) -> str | None:
    """Return a form as a text; None for what cannot be one."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, str):
        return "".join(value.split()) if mime in ("image/png", "image/jpeg") else value
    try:
        return json.dumps(value, default=str)
    except Exception:
        return None


def without_own_frames(summary: traceback.TracebackException | None) -> None:
    """Take this program's frames out of an error, and out of those behind it."""
    for _ in range(FRAMES):
        if summary is None:
            return
        if summary.stack is not None:
            summary.stack[:] = [one for one in summary.stack if one.filename != OWN]
        summary = summary.__cause__ or summary.__context__


def told(error: BaseException) -> dict[str, str]:
    """Return an error as it is told: its name, its words, its traceback from the cell on."""
    name = type(error).__name__
    try:
        value = str(error)
    except BaseException:
        value = ""
    behind = error.__traceback__
    while behind is not None and not behind.tb_frame.f_code.co_filename.startswith("<cell "):
        behind = behind.tb_next
    try:
        told_so = traceback.TracebackException(type(error), error, behind, limit=-FRAMES)
        without_own_frames(told_so)
        text = "".join(told_so.format())
    except BaseException:
        text = name
    if len(text) > MOST_TRACEBACK:
        text = text[: MOST_TRACEBACK // 4] + "\n\u2026\n" + text[-MOST_TRACEBACK * 3 // 4 :]
    return {"name": name[:200], "value": value[:2000], "traceback": text}
