"""After a build: every link of the site leads somewhere, and no page loads anything from outside.

Links out of the site are not asked for: that would need the internet (``sphinx -b linkcheck``).
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urlsplit

from sphinx.errors import SphinxError

from vibekit_jupyter import errors

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """A page's ids, its links, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids = {""}
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag in."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag in LOADS and LOADS[tag] in given:
            self.loads.add(given[LOADS[tag]])
        if tag == "a" and "href" in given:
            self.links.add(given["href"])


def faults(site: Path) -> list[str]:
    """Return what is wrong with a built site, a line each."""
    files = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in files}
    found = []
    # What an error in a notebook leads to.
    promised = {getattr(errors, name).docs_url.partition("/latest/")[2] for name in errors.__all__}
    pages[(site / "index.html").resolve()].links |= promised
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for link in sorted(page.links | page.loads):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https") or parts.netloc:
                if link in page.loads:
                    found.append(f"{name} loads {link}")
            elif not parts.scheme:
                file, anchor = urldefrag(link)
                target = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
                if not target.exists():
                    found.append(f"{name}: there is no {link}")
                elif anchor and target in pages and unquote(anchor) not in pages[target].ids:
                    found.append(f"{name}: nothing is called so: {link}")
    return found


def check(app: Sphinx, error: Exception | None) -> None:
    """Fail the build for what is wrong."""
    if error is None and app.builder.name == "html" and (wrong := faults(Path(app.outdir))):
        raise SphinxError("\n".join(wrong))


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at each build when it is finished."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True}
