"""What every test stands on: a home of its own and no vendor's settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

from tests.support.surroundings import take_settings_away

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# How long an example takes says more about the machine than about the code.
settings.register_profile("vibekit", deadline=None)
settings.load_profile("vibekit")


@pytest.fixture(autouse=True)
def vibekit_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ``VIBEKIT_HOME``, and none of the developer's own keys, URLs and proxies."""
    take_settings_away(monkeypatch)
    home = tmp_path / "vibekit-home"
    monkeypatch.setenv("VIBEKIT_HOME", str(home))
    return home


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the kernel does."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On CI everything is there that a test may miss elsewhere: a skip is an error."""
    return _without_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A skipped module, too."""
    return _without_skip((yield))


def _without_skip(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped on CI: {report.longrepr}"
    return report
