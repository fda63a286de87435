"""Math is shown as math, money as money, and nothing in a formula runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.render.markdown import markdown_html
from vibekit_jupyter.notebook.render.tex import TAGS

FORMULAS = [
    r"$g = \frac{r_t - r_{t-1}}{r_{t-1}}$",
    "\\(a < b\\)",
    "$$\n\\sum_{i=1}^n x_i^2\n$$",
    "$$ e = mc^2 $$",
    "\\[\n\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}\n\\]",
    "- so $x_1$ it is",
    "| a |\n|---|\n| $x_1$ |",
    "> $$x$$",
]
NO_FORMULAS = [
    "It costs $5 and $6.",
    "From $5-$6 to $7.",
    "`$x$`",
    "```\n$$x$$\n```",
    "a $ b $ c",
    "\\$x\\$",
    "PATH=$HOME:$PATH and $",
    "$$ without an end",
]


@pytest.mark.parametrize("source", FORMULAS)
def test_a_formula_is_mathml(source: str) -> None:
    html = markdown_html(source)
    assert "<math" in html
    assert "$" not in re.sub(r"(?s)<details.*", "", html)


@pytest.mark.parametrize("source", NO_FORMULAS)
def test_money_and_code_are_no_formulas(source: str) -> None:
    html = markdown_html(source)
    assert "<math" not in html
    assert html.count("<span>$</span>") == source.count("$")


def test_a_formula_that_stands_by_itself_can_be_read_as_tex() -> None:
    html = markdown_html("$$\\frac{a}{b}$$\n\nand $c$")
    assert "as TeX</summary>" in html
    assert "<span>\\</span>frac{a}{b}" in html
    assert "as TeX" not in markdown_html("only $c$")


@pytest.mark.parametrize(
    "tex", ["\\nonsense{x}", "{" * 900, "x" * 5_000, "\\frac", "\\text{$y$}", "{" * 40 + "}" * 40]
)
def test_what_cannot_be_read_is_shown_as_it_is_written(tex: str) -> None:
    html = markdown_html(f"\\[{tex}\\]")
    assert "<math" not in html
    assert tex in re.sub("<[^>]*>", "", html)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


HARMLESS = {*TAGS, "p", "div", "span", "code", "details", "summary", "pre", "em", "strong", "br"}
HOSTILE = [
    r"\href{javascript:alert(1)}{x}",
    r"\text{<script>alert(1)</script>}",
    r"\text{<img src=x onerror=alert(1)>}",
    r"</math><img src=x onerror=alert(1)>",
    r"\style{background:url(http://attacker.invalid)}{x}",
    r"\class{jp-Button}{x}",
    r"\mathchoice{<annotation-xml encoding=text/html><script>}{}{}{}",
    r"\text{&lt;script&gt;}",
]


@pytest.mark.parametrize("tex", HOSTILE)
def test_nothing_in_a_formula_runs_fetches_or_leads_away(tex: str) -> None:
    page = Tags(markdown_html(f"${tex}$\n\n$${tex}$$"))
    assert page.tags <= HARMLESS
    assert not any(name.startswith("on") for name in page.names)
    assert {"href", "src", "class", "id", "xlink:href"}.isdisjoint(page.names)
    assert "url(" not in re.sub("(?s)<(code|pre).*?</\\1>", "", markdown_html(f"${tex}$"))


@given(st.text("\\{}_^&<>$ab frctexmi=\"'", max_size=80))
def test_any_formula_is_drawn_or_shown(tex: str) -> None:
    assert Tags(markdown_html(f"$$\n{tex}\n$$")).tags <= {*HARMLESS, "blockquote", "ul", "li"}


def test_checklists_are_checklists() -> None:
    html = markdown_html("- [ ] to do\n- [x] **done**\n- [y] neither\n1. [x] first")
    assert "☐ to do" in html
    assert "☑ <strong>done</strong>" in html
    assert "[y] neither" in html
    assert html.count("☑") == 2


def test_a_wide_table_scrolls_by_itself_and_can_be_reached_with_the_keyboard() -> None:
    html = markdown_html("| a |\n|---|\n| b |")
    assert re.match(r'<div tabindex="0" style="overflow-x:auto[^>]*><table', html)
