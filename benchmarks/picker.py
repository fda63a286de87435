#!/usr/bin/env python3
"""The picker's table of ten thousand sessions: shown and filtered, in JupyterLab's own page.

The control is the same table with ten sessions.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import expect

from tests.browser.picker_page import (
    MILLISECONDS_UNTIL_FILTERED,
    MILLISECONDS_UNTIL_ROWS,
    PickerOf,
    loaded,
    many_sessions,
)
from tests.support.lab import Lab, chromium

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

ROUNDS = 5
FEW, MANY = 10, 10_000


def table(lab: Lab, context: BrowserContext, folder: Path, count: int) -> list[float]:
    """Return in how many milliseconds a table was shown, complete and filtered: medians."""
    rounds = []
    cells = [f"{loaded(folder / str(count))}\n{many_sessions(count)}", "%vibekit_session pick"]
    page = lab.open(context, lab.write(f"{count}.ipynb", cells))
    page.run(0, 60)
    for _ in range(ROUNDS):
        page.run(1)  # a picker that was never opened
        picker = PickerOf(page, 1)
        expect(picker.button("Browse all")).to_be_visible()
        shown = picker.button("Browse all").evaluate(MILLISECONDS_UNTIL_ROWS, count)
        filtered = picker.filter.evaluate(MILLISECONDS_UNTIL_FILTERED, "name-7 codex")
        expect(picker.count).to_contain_text(f"of {count:,} sessions")
        rounds.append([*shown, filtered])
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def main() -> int:
    """Measure, and return the exit status."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        with Lab(folder / "lab") as lab:
            context = browser.new_context()
            control = table(lab, context, folder, FEW)
            shown, complete, filtered = table(lab, context, folder, MANY)
    return report(
        "picker",
        [
            Figure(f"show {FEW}", control[0], "ms"),
            Figure(f"show {MANY}", shown, "ms", most=200),
            Figure(f"have all {MANY}", complete, "ms"),
            Figure(f"filter {FEW}", control[2], "ms"),
            Figure(f"filter {MANY}", filtered, "ms", most=100),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
