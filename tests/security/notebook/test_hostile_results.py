"""A sandbox's results are a stranger's: whatever their types and bytes are, they are inert."""

from __future__ import annotations

import base64
import html
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.render.bundle import PICTURE_LIMIT, POLICY, bundle_html, bundle_plain
from vibekit_jupyter.workbench.code.told import Shown

HOSTILE = "<img src=x onerror='window.owned = 1'><script>window.owned = 1</script>"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()
TABLE = "application/vnd.vibekit.table+json"
TAGS = {"div", "pre", "span", "table", "tbody", "tr", "th", "td", "img", "iframe"}
MORE = {
    *("p", "code", "em", "strong", "a", "math", "mrow", "mi", "mo", "mn", "msup", "mtext"),
    *("h1", "h2", "ul", "ol", "li", "br", "hr", "blockquote", "del", "details", "summary"),
}
ATTRIBUTES = {"style", "tabindex", "src", "alt", "sandbox", "srcdoc", "title", "href", "rel"}
ATTRIBUTES |= {"target", "display", "stretchy", "start"}
MIMES = (
    *("text/plain", "text/html", "text/markdown", "text/latex", "application/json"),
    *("image/png", "image/jpeg", "image/svg+xml", "application/javascript", TABLE),
    *("application/vnd.vegalite.v5+json", "application/vnd.jupyter.widget-view+json"),
    *("application/vnd.plotly.v1+json", "application/pdf", "x/y"),
)


class Inspector(HTMLParser):
    """Notes every tag and attribute that should not be there, and the frames' pages."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.findings: list[str] = []
        self.frames: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag not in TAGS | MORE:
            self.findings.append(tag)
        self.findings += [f"{tag}[{name}]" for name in attributes if name not in ATTRIBUTES]
        if tag == "iframe":
            assert attributes["sandbox"] == "allow-scripts"
            self.frames.append(attributes["srcdoc"] or "")
        elif not (attributes.get("src") or "data:image/").startswith("data:image/"):
            self.findings.append(str(attrs))
        if not (attributes.get("href") or "https:").startswith(("http:", "https:", "mailto:")):
            self.findings.append(str(attrs))


@given(st.dictionaries(st.sampled_from(MIMES), st.one_of(st.just(HOSTILE), st.text(max_size=60))))
def test_no_bundle_brings_a_tag_into_the_page(forms: dict[str, str]) -> None:
    assert Inspector(bundle_html(Shown(forms, {"x/z": 5}))).findings == []


@pytest.mark.parametrize("mime", MIMES)
def test_hostile_words_of_every_type_are_inert(mime: str) -> None:
    shown = Shown({mime: HOSTILE}, {})
    assert Inspector(bundle_html(shown)).findings == []
    assert bundle_plain(shown)


@pytest.mark.parametrize(
    "mime", ["application/javascript", "application/vnd.vegalite.v5+json", "application/pdf"]
)
def test_what_a_front_end_would_run_is_named_with_its_size(mime: str) -> None:
    page = bundle_html(Shown({mime: "x" * 2_000}, {}))
    assert f"not shown here: {mime} (2.0 kB)" in page


def test_a_page_is_in_a_frame_whose_policy_lets_nothing_out() -> None:
    (outer,) = Inspector(bundle_html(Shown({"text/html": HOSTILE}, {}))).frames
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    assert outer.startswith(policy)
    assert "window.owned" not in outer.replace(html.escape(HOSTILE), "")
    inner = outer.partition('srcdoc="')[2].partition('"')[0]
    assert html.unescape(inner) == policy + HOSTILE


def test_a_picture_is_one_by_its_bytes_and_its_size() -> None:
    assert "<img " in bundle_html(Shown({"image/png": PNG}, {}))
    large = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(PICTURE_LIMIT)).decode()
    for form in ("bm8gcGljdHVyZQ==", large, '" onerror="1', "", "\ud83d"):
        assert "<img" not in bundle_html(Shown({"image/png": form}, {}))


def test_a_drawing_is_a_picture() -> None:
    page = bundle_html(Shown({"image/svg+xml": f"<svg onload='x'>{HOSTILE}</svg>"}, {}))
    assert 'src="data:image/svg+xml;base64,' in page
    assert "onload" not in page


@pytest.mark.parametrize(
    "table",
    [
        {},
        [],
        {"columns": 5, "rows": [], "index": None, "shape": [1, 1], "numeric": []},
        {"columns": [], "rows": [[[]]], "index": None, "shape": ["<b>", 1], "numeric": []},
        {"columns": ["a"], "rows": [5], "index": [], "shape": [1, 1], "numeric": [1]},
        {"columns": ["a"], "rows": [["x"]], "index": [], "shape": [-1, 1e999], "numeric": {}},
    ],
)
def test_an_odd_table_is_left_out_for_the_next_form(table: object) -> None:
    page = bundle_html(Shown({TABLE: json.dumps(table), "text/plain": "instead"}, {}))
    assert "instead" in page
    assert "<table" not in page


def test_a_table_has_at_most_so_many_cells_and_their_words_are_text() -> None:
    cells = [[HOSTILE * 10] * 500] * 500
    table = {"columns": [HOSTILE] * 500, "rows": cells, "index": [HOSTILE] * 500,
             "shape": [10**15, 500], "numeric": [True] * 500}  # fmt: skip
    page = bundle_html(Shown({TABLE: json.dumps(table)}, {}))
    assert page.count("<td") == 400
    assert Inspector(page).findings == []
    assert "20 of 1,000,000,000,000,000 rows, 20 of 500 columns" in page


def test_deep_json_is_text_or_named() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert "deep" in bundle_html(Shown({"application/json": deep, "text/plain": "deep"}, {}))
    assert "not shown here" in bundle_html(Shown({"application/json": deep}, {}))


def test_latex_makes_no_links_and_loads_nothing() -> None:
    for tex in (r"$\href{javascript:x}{a}$", r"$$\require{html}x$$", r"$\htmlStyle{x}{y}$"):
        page = bundle_html(Shown({"text/latex": tex}, {}))
        assert Inspector(page).findings == []
        assert "<a " not in page
    assert "<math" in bundle_html(Shown({"text/latex": r"$\displaystyle x^{2}$"}, {}))


def test_nothing_in_the_plain_form_controls_a_terminal() -> None:
    plain = bundle_plain(Shown({"text/plain": "a\x1b]0;x\x07\x1b[2Jb\u202ec\ud800"}, {}))
    assert not any(char in plain for char in "\x1b\x07\u202e\ud800")
