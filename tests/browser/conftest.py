"""One JupyterLab and one browser for all tests of this folder; a page for each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.lab import Lab, NotebookPage, browser_path, chromium
from tests.support.local_server import stop_local_server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

OPENED: pytest.StashKey[list[NotebookPage]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what stood in the page when a test failed: nobody else saw it."""
    report = yield
    if call.when == "call" and report.failed:
        for page in item.stash.get(OPENED, []):
            report.sections.append((f"{page.path.name} as it stood", page.as_it_stands()))
    return report


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab, started once; its kernels share one ``VIBEKIT_HOME`` of their own."""
    with Lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    if browser_path() is None:
        pytest.skip("no Chromium: install one, or name it in CHROMIUM")
    from playwright.sync_api import expect

    # Its own five seconds are short where other tests run at the same time.
    expect.set_options(timeout=20_000)
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of the test's own."""
    context = browser.new_context(viewport={"width": 1100, "height": 1400})
    yield context
    context.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A ``VIBEKIT_HOME`` for the kernels of one test: ``page.run`` a cell that sets it first."""
    home = tmp_path / "lab-home"
    yield home
    stop_local_server(home)


class OpenNotebook(Protocol):
    """Open a new notebook in JupyterLab."""

    def __call__(
        self, cells: Sequence[str], *, outputs: Sequence[Mapping[str, Any]] = ()
    ) -> NotebookPage:
        """Open these cells; ``outputs``, as a file holds them, are the last cell's."""


@pytest.fixture
def open_notebook(
    lab: Lab, context: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Notebooks of the test's own, whose kernels end with it."""
    names = (f"{request.node.name}-{number}.ipynb" for number in itertools.count())
    pages = request.node.stash.setdefault(OPENED, [])

    def opened(cells: Sequence[str], *, outputs: Sequence[Mapping[str, Any]] = ()) -> NotebookPage:
        page = lab.open(context, lab.write(next(names), cells, outputs))
        pages.append(page)
        return page

    yield opened
    lab.end_kernels()
