"""Each notebook runs as a newcomer's: an empty home, no vendor's settings, the demo model."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from nbval.plugin import IPyNbFile

from tests.support.notebooks import as_a_newcomer

if TYPE_CHECKING:
    from collections.abc import Generator

SURROUNDINGS = pytest.StashKey[contextlib.ExitStack]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Surround a notebook's cells, from before its kernel starts until after it has ended."""
    notebook = item.parent
    if not isinstance(notebook, IPyNbFile):
        return (yield)
    if SURROUNDINGS not in notebook.stash:
        notebook.stash[SURROUNDINGS] = contextlib.ExitStack()
        notebook.stash[SURROUNDINGS].enter_context(as_a_newcomer())
        # A session that ends early has no next item.
        item.config.add_cleanup(notebook.stash[SURROUNDINGS].close)
    outcome = yield
    if nextitem is None or nextitem.parent is not notebook:
        notebook.stash[SURROUNDINGS].close()
    return outcome
