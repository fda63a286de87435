"""What an agent wrote is text in the page, never HTML or a script (security cases 16, 18, 20)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hostile import HOST, PAGE, SAYINGS, hostile_run
from vibekit_jupyter.events import RunStarted, TextDelta
from vibekit_jupyter.notebook.render import Transcript, to_html, to_plain
from vibekit_jupyter.notebook.render.artifact import POLICY
from vibekit_jupyter.notebook.render.markdown import markdown_html

TAGS = {
    *("a", "b", "blockquote", "br", "code", "del", "details", "div", "em", "hr", "iframe", "img"),
    *("li", "ol", "p", "pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th"),
    *("thead", "tr", "ul"),
    # MathML that is drawn and does nothing else: no annotation, no maction, no semantics.
    *("math", "menclose", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded"),
    *("mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub"),
    *("msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "none"),
}
MATH = {"display", "stretchy", "fence", "form", "lspace", "rspace", "width", "mathvariant"}
DOWNLOAD = r"data:application/octet-stream;base64,[A-Za-z0-9+/=]*"
ATTRIBUTES = {"style", "open", "href", "title", "rel", "target", "start", "alt", "src", "srcdoc"}


def is_harmless(tag: str, name: str, value: str, attributes: dict[str, str | None]) -> bool:
    """Tell whether an attribute draws math, takes the focus, or saves a file, and no more."""
    # A file is saved, never opened: it is of no kind, and has a name to be saved by.
    saved = "download" in attributes and re.fullmatch(DOWNLOAD, attributes.get("href") or "")
    return (
        (name == "tabindex" and value == "0")
        or (name in MATH and tag.startswith("m"))
        or (name in ("download", "href") and tag == "a" and bool(saved))
    )


class Inspector(HTMLParser):
    """Notes every tag and attribute that should not be there."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.findings: list[str] = []
        self.frames: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.findings.append(tag)
        for name, value in attrs:
            if name == "srcdoc":
                self.frames.append(value or "")
            if name == "sandbox" and tag == "iframe" and not value:
                continue
            if is_harmless(tag, name, value or "", dict(attrs)):
                continue
            if name not in ATTRIBUTES:
                self.findings.append(f"{tag}[{name}]")
            if name == "href" and not re.match("(https?|mailto):", value or ""):
                self.findings.append(f"{tag}[href={value}]")
            if name == "src" and not (value or "").startswith("data:image/"):
                self.findings.append(f"{tag}[src={value}]")
            if name == "style" and re.search(r"url|expression|import|position", value or ""):
                self.findings.append(f"{tag}[style={value}]")


@pytest.mark.parametrize("length", [len(hostile_run()), 20, 8, 7, 5])
def test_nothing_in_a_card_runs_fetches_or_has_a_name(length: int) -> None:
    inspected = Inspector(to_html(Transcript.of(hostile_run()[:length])))
    assert inspected.findings == []


@pytest.mark.parametrize("saying", SAYINGS)
def test_a_saying_that_is_still_growing_is_inert(saying: str) -> None:
    events = [RunStarted("codex", "m", "code", "x"), TextDelta(saying)]
    assert Inspector(to_html(Transcript.of(events))).findings == []


@given(st.text(alphabet=st.sampled_from("<>&\"'()[]!`|-#*_:/\\\n javscriptonerhf=$\x1b")))
def test_markdown_of_any_kind_is_inert(source: str) -> None:
    assert Inspector(markdown_html(source)).findings == []


def test_a_page_begins_with_its_policy_and_has_no_links() -> None:
    (frame,) = Inspector(to_html(Transcript.of(hostile_run()))).frames
    assert frame.startswith(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">')
    assert "href" not in frame
    assert "refresh" not in frame
    assert HOST in PAGE


def test_nothing_in_plain_text_controls_a_terminal() -> None:
    plain = to_plain(Transcript.of(hostile_run()))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", plain)
