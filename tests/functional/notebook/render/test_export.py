"""An executed notebook, exported: it reads well, and holds nothing that runs or that is fetched."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbclient import NotebookClient
from nbconvert.exporters import get_exporter

from tests.support.notebooks import as_a_newcomer
from tests.support.runs import beginning, end
from vibekit_jupyter.events import TextDelta
from vibekit_jupyter.notebook.render import Transcript, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

CHART = "%%vibekit\nLoad sales.csv, plot revenue per month and save the chart as revenue.png"
HOSTILE = """%%vibekit
print("before\\n\\n   \\n![a](http://attacker.invalid/a.png)\\n\\n    indented\\n\\n# head")
print("<img src=http://attacker.invalid/b.png><script>alert(1)</script>")
"""


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def active(self) -> list[str]:
        """What runs, or is fetched from elsewhere."""
        return [
            f"{tag} {attributes}"
            for tag, attributes in self.tags
            if tag in {"script", "iframe", "link", "object", "form"}
            or any(name.startswith("on") for name in attributes)
            or any(
                not attributes.get(name, "data:").startswith(("data:", "#"))
                for name in ("src", "href", "srcset")
            )
        ]


def notebook_of(*cells: str) -> NotebookNode:
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell-{number}", "source": cell, "outputs": [],
         "execution_count": None, "metadata": {}}
        for number, cell in enumerate(cells)
    ]  # fmt: skip
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}
    return nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-any-return, no-untyped-call]  # nbformat's own


def exported(to: str, notebook: NotebookNode) -> str:
    exporter = get_exporter(to)()  # type: ignore[no-untyped-call]  # nbconvert's own
    text: str = exporter.from_notebook_node(notebook)[0]
    return text


@pytest.fixture(scope="module")
def executed() -> Iterator[NotebookNode]:
    """A notebook that nbclient executed, drawn as in a notebook."""
    notebook = notebook_of("%load_ext vibekit_jupyter", CHART, HOSTILE)
    with as_a_newcomer():
        NotebookClient(notebook, timeout=60).execute()
        yield notebook


def test_an_executed_cell_holds_one_output_of_its_run(executed: NotebookNode) -> None:
    for cell in executed.cells[1:]:
        (output,) = cell.outputs
        assert set(output.data) == {"text/html", "text/plain"}
        assert output.metadata["vibekit"]["version"] == 1


def test_html_has_the_run_and_nothing_of_ours_that_runs_or_is_fetched(
    executed: NotebookNode,
) -> None:
    page = Elements(exported("html", executed))
    empty = Elements(exported("html", notebook_of()))
    assert page.active == empty.active
    for words in ("codex", "demo model", "plot_revenue.py", "steps"):
        assert words in page.words
    assert any(tag == "img" for tag, _ in page.tags)


def test_markdown_has_the_run_and_nothing_of_it_becomes_markdown(executed: NotebookNode) -> None:
    text = exported("markdown", executed)
    page = Elements(MarkdownIt("commonmark").render(text))
    assert page.active == []
    assert not [tag for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert "![a](http://attacker.invalid/a.png)" in page.words
    for words in ("codex", "demo model", "plot_revenue.py", "steps"):
        assert words in page.words


def test_math_is_the_same_in_an_exported_page() -> None:
    said = r"So $g = \frac{a}{b}$ is:" + "\n\n$$\nx_i^2\n$$"
    run = rendered(Transcript.of([*beginning(), TextDelta(said), end()]))
    notebook = notebook_of("a prompt")
    data = {"output_type": "display_data", "data": run.bundle(), "metadata": {}}
    notebook.cells[0].outputs = [nbformat.from_dict(data)]  # type: ignore[no-untyped-call]  # nbformat's own
    html = exported("html", notebook)
    for formula in re.findall(r"<math.*?</math>", run.html):
        assert formula in html
    assert html.count("<math") == 2
