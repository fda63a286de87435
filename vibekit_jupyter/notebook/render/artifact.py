"""Files that a run made, shown in its card: pictures, tables, HTML pages, notebooks.

All of them are the work of whatever ran in the sandbox, so none is taken at its word: a
picture is one by its first bytes, a page lives in a frame without any rights, and nothing
fetches anything. An SVG is shown as a picture, too: so browsers run and fetch nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.limits import drawn, is_deep
from vibekit_jupyter.notebook.render.summary import short_path
from vibekit_jupyter.notebook.render.table import table_html
from vibekit_jupyter.notebook.render.text import escape, terminal_html
from vibekit_jupyter.notebook.render.words import count, plural

if TYPE_CHECKING:
    from vibekit_jupyter.events import FileShown

__all__ = ["artifact_html"]

IMAGE_LIMIT: Final = 2_000_000
PAGE_LIMIT: Final = 500_000
CELLS: Final = 40
OUTPUTS: Final = 20  # of a cell
SOURCE_LIMIT: Final = 4_000

_SIGNATURES: Final = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "image/svg+xml": (b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg"),
}
_STYLE_SHEET: Final = re.compile(r"<style\b.*?</style>", re.IGNORECASE | re.DOTALL)
# A backslash may spell any of the words.
_FETCHING: Final = re.compile(r"url|image-set|src|@import|\\", re.IGNORECASE)
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def artifact_html(shown: FileShown) -> str:
    """Return the file as HTML; what cannot be shown is named, with the reason."""
    return drawn(lambda: _artifact(shown), lambda: _named(shown, "it cannot be shown"))


def _artifact(shown: FileShown) -> str:
    try:
        data = base64.b64decode(shown.data, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        return _named(shown, f"{count(shown.size)}B, not shown here")
    match shown.mime:
        case "text/csv":
            return _captioned(shown, table_html(data, shown.size))
        case "text/html":
            return _page(shown, data)
        case "application/x-ipynb+json":
            return _notebook(shown, data)
        case _:
            return _image(shown, data)


def _image(shown: FileShown, data: bytes) -> str:
    if not data.lstrip().startswith(_SIGNATURES.get(shown.mime, ())):
        return _named(shown, "not a picture that can be shown")
    if len(data) > IMAGE_LIMIT:
        return _named(shown, f"{count(len(data))}B, too large to be shown")
    # Encoded anew: what stands in the attribute is base64 and nothing else.
    encoded = base64.b64encode(data).decode()
    return _captioned(
        shown,
        f'<img src="data:{shown.mime};base64,{encoded}" '
        f'alt="{html.escape(short_path(shown.path))}" '
        # What is drawn on nothing is drawn to be seen on white.
        f'style="max-width:100%;height:auto;border-radius:4px;background-color:white">',
    )


def _page(shown: FileShown, data: bytes) -> str:
    """Return a page in a frame that has no rights, can load nothing and leads nowhere."""
    if len(data) > PAGE_LIMIT:
        return _named(shown, f"{count(len(data))}B, too large to be shown")
    import nh3

    source = data.decode("utf-8", "replace")
    if is_deep(source):
        return _named(shown, "nested too deeply to be shown")
    attributes = {
        tag: {*names} - {"href", "cite", "srcset"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items()
    }
    attributes["*"] = {"style", "class", "align", "colspan", "rowspan"}
    page = nh3.clean(
        source,
        tags={*nh3.ALLOWED_TAGS, "style"} - {"a", "area", "map"},
        clean_content_tags={"script"},
        attributes=attributes,
        url_schemes={"data"},
        attribute_filter=_without_fetching,
        link_rel=None,
    )
    page = _STYLE_SHEET.sub(lambda sheet: "" if _FETCHING.search(sheet[0]) else sheet[0], page)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return _captioned(
        shown,
        f'<iframe sandbox="" srcdoc="{html.escape(policy + page)}" '
        f'title="{html.escape(short_path(shown.path))}" '
        f'style="box-sizing:border-box;width:100%;height:320px;border:{style.LINE};border-radius:4px;'
        f'background-color:white;color-scheme:light"></iframe>',
    )


def _without_fetching(_tag: str, name: str, value: str) -> str | None:
    """Drop a style that would fetch; the policy refuses it anyway, but after it was tried."""
    return None if name == "style" and _FETCHING.search(value) else value


def _notebook(shown: FileShown, data: bytes) -> str:
    """Return a notebook's cells: sources, and what is text of their outputs."""
    try:
        cells = json.loads(data)["cells"]
        parts = [_cell(cell) for cell in cells[:CELLS]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _named(shown, "not a notebook that can be read")
    if len(cells) > CELLS:
        parts.append(
            f'<div style="{style.QUIET}">… {plural(len(cells) - CELLS, "more cell")}</div>'
        )
    box = f"border:{style.LINE};border-radius:4px;padding:2px 10px;max-height:30em;overflow:auto"
    return _captioned(shown, f'<div tabindex="0" style="{box}">{"".join(parts)}</div>')


def _cell(cell: dict[str, Any]) -> str:
    from vibekit_jupyter.notebook.render.code import code_html
    from vibekit_jupyter.notebook.render.markdown import markdown_html

    source = _joined(cell.get("source", ""))[:SOURCE_LIMIT]
    if cell.get("cell_type") == "markdown":
        return markdown_html(source)
    code = f'<pre style="{style.OUTPUT};padding-left:8px">{code_html(source, "python")}</pre>'
    return code + "".join(map(_output, cell.get("outputs", [])[:OUTPUTS]))


def _output(output: dict[str, Any]) -> str:
    text = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue")
    if not text:
        return ""
    shown = terminal_html(_joined(text)[:SOURCE_LIMIT])
    return f'<pre style="{style.OUTPUT};{style.DIM}">{shown}</pre>'


def _joined(text: Any) -> str:
    """Return a notebook's multi-line string, which may be a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _captioned(shown: FileShown, body: str) -> str:
    caption = f'<div style="{style.QUIET}">{escape(short_path(shown.path))}</div>'
    return f'<div style="{style.SPEECH}">{body}{caption}</div>'


def _named(shown: FileShown, reason: str) -> str:
    text = escape(f"{short_path(shown.path)}: {reason}")
    return f'<div style="{style.QUIET};margin:6px 0">{text}</div>'
