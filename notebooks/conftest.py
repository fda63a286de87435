"""Each notebook runs as a newcomer's: an empty home, no vendor's settings, the demo model.

nbval compares what a front end shows in the end: it would take every piece of a run that is
drawn live for an output. Plain text is compared as it stands, and of HTML the words. What is
compared is first sanitised, by the file beside this one.

``NOTEBOOKS_LEVEL`` names another level of confinement than the best one.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.support.notebooks import as_a_newcomer
from tests.support.outputs import Outputs, html_words

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

LEVEL = os.environ.get("NOTEBOOKS_LEVEL", "auto")
# Under landlock no program of a sandbox listens, and agents that run there ask their model so;
# unconfined none is started.
collect_ignore = ["your-own-agent.ipynb"] if LEVEL in ("landlock", "none") else []
SURROUNDINGS = pytest.StashKey[contextlib.ExitStack]()


class Notebook(IPyNbFile):  # type: ignore[misc]  # nbval ships no types
    """A notebook whose cells are compared as a front end shows them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.skip_compare += ("text/html",)
        self.outputs: defaultdict[str, Outputs] = defaultdict(Outputs)
        self.last = Outputs()

    def collect(self) -> Iterator[NotebookCell]:
        """Return the code cells."""
        for cell in super().collect():
            yield NotebookCell.from_parent(
                self,
                name=cell.name,
                cell_num=cell.cell_num,
                cell=cell.cell,
                options=cell.options,
            )

    def get_sanitize_files(self) -> list[str]:
        """Return the file beside this one, unless another is asked for."""
        return super().get_sanitize_files() or [str(Path(__file__).with_name("sanitize.cfg"))]

    def get_kernel_message(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return a message, and keep what it does to the outputs of its cell."""
        message: dict[str, Any] = super().get_kernel_message(*arguments, **options)
        self.last = self.outputs[message["parent_header"].get("msg_id", "")]
        self.last.take(message["msg_type"], message["content"])
        return message


class NotebookCell(IPyNbCell):  # type: ignore[misc]  # nbval ships no types
    """A cell; nbval asks for its comparison when the cell's last message came."""

    def compare_outputs(self, test: list[Any], ref: list[Any], skip_compare: Any = None) -> bool:
        """Tell whether what is shown is what is stored."""
        test[:] = map(nbformat.from_dict, self.parent.last.shown)
        if not super().compare_outputs(test, ref, skip_compare):
            return False
        stored, shown = self._html(ref), self._html(test)
        if stored != shown:
            self.format_output_compare("the words of text/html", stored, shown)
        return stored == shown

    def _html(self, outputs: list[Any]) -> str:
        pages = [output.get("data", {}).get("text/html") for output in outputs]
        return "\n".join(self.sanitize(html_words(page)) for page in pages if page)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Put our notebooks in the place of nbval's."""
    return [
        Notebook.from_parent(found.parent, path=found.path)
        if isinstance(found, IPyNbFile)
        else found
        for found in (yield)
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Surround a notebook's cells, from before its kernel starts until after it has ended."""
    notebook = item.parent
    if not isinstance(notebook, Notebook):
        return (yield)
    if SURROUNDINGS not in notebook.stash:
        notebook.stash[SURROUNDINGS] = contextlib.ExitStack()
        notebook.stash[SURROUNDINGS].enter_context(as_a_newcomer(LEVEL))
        # A session that ends early has no next item.
        item.config.add_cleanup(notebook.stash[SURROUNDINGS].close)
    outcome = yield
    if nextitem is None or nextitem.parent is not notebook:
        notebook.stash[SURROUNDINGS].close()
    return outcome
