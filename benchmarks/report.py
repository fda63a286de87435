"""How a benchmark tells what it measured: a table for people, JSON for machines."""

from __future__ import annotations

import json
import platform
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Figure", "compiled_in", "median", "report"]

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One figure; ``most`` and ``least`` are what it may be."""

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds."""
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    @property
    def bound(self) -> str:
        """The bound in words."""
        bounds = [("at most", self.most), ("at least", self.least)]
        return ", ".join(f"{word} {value:g}" for word, value in bounds if value is not None)


def compiled_in(folder: Path) -> dict[str, str]:
    """Return what lets Python keep compiled modules, as it does where a package is installed."""
    return {"PYTHONPYCACHEPREFIX": str(folder / "pycache"), "PYTHONDONTWRITEBYTECODE": ""}


def median(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(seconds) * 1000


def report(name: str, figures: Sequence[Figure]) -> int:
    """Print the figures, write them down, and return the exit status: 1 where a bound is broken."""
    width = max(len(figure.what) for figure in figures)
    print(name)
    for figure in figures:
        verdict = "" if not figure.bound else "ok" if figure.holds else "NOT MET"
        value = f"{figure.value:10.2f} {figure.unit:<4}"
        print(f"  {figure.what:<{width}} {value} {figure.bound:<14} {verdict}".rstrip())
    RESULTS.mkdir(exist_ok=True)
    document = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "figures": [{**asdict(figure), "holds": figure.holds} for figure in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if all(figure.holds for figure in figures) else 1
