"""``notebooks/data.ipynb`` with both agents, wherever its sandboxes are and whatever they have."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
import pytest

from tests.support.kernel import Kernel
from tests.support.sandbox_server import sandbox_server
from tests.support.thin_sandbox import WITHOUT_PYARROW
from vibekit_jupyter.services.local_sandbox import state_file
from vibekit_jupyter.settings.config import AGENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
PNG = "data:image/png;base64,"


def cells() -> list[str]:
    notebook = nbformat.read(NOTEBOOKS / "data.ipynb", as_version=4)  # type: ignore[no-untyped-call]  # nbformat's own
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def expected() -> list[tuple[str, int]]:
    sales = pd.read_csv(NOTEBOOKS / "sales.csv")
    return list(sales.groupby("month", sort=False)["revenue"].sum().items())


@contextlib.contextmanager
def kernel_at(place: str, home: Path) -> Iterator[Kernel]:
    """Start a kernel whose sandboxes are in a place."""
    if place in ("bubblewrap", "landlock"):
        options = ["--confine", place, "--state-file", str(state_file())]
        with sandbox_server(home, *options), Kernel(home) as kernel:
            yield kernel
    else:
        with sandbox_server(home / "other") as other, Kernel(home, other.environment) as kernel:
            assert kernel.run("%load_ext vibekit_jupyter\n%vibekit_config --demo on").status == "ok"
            yield kernel


@pytest.mark.timeout(400)  # twelve cells, and a machine may be busy
@pytest.mark.parametrize("place", ["bubblewrap", "landlock", "another server", "no pyarrow"])
def test_both_agents_draw_a_chart_and_bring_a_summary_back(place: str, vibekit_home: Path) -> None:
    with kernel_at(place, vibekit_home) as kernel:
        load, *others = cells()
        assert kernel.run(f"{load}\n%cd -q {NOTEBOOKS}").status == "ok"
        kernel.run("from vibekit_jupyter import get_client")
        for agent in AGENTS:
            kernel.run("df = summary = None")
            assert kernel.run(f"%vibekit_config --agent {agent}").status == "ok"
            assert kernel.run(f"%vibekit_session new {agent}").status == "ok"
            if place == "no pyarrow":
                command = f"await get_client().execute_command({WITHOUT_PYARROW!r})"
                assert kernel.run(command).status == "ok"
            ran = {source: kernel.run(source) for source in others}
            assert {source: cell.error for source, cell in ran.items() if cell.error} == {}
            asked, work = (source for source in others if " -o " in source)
            run = ran[asked]
            assert run.text.lstrip().startswith(f"{agent} · demo model · session {agent}")
            assert PNG in run.displays[0]["text/html"]
            kind = "npz" if place == "no pyarrow" else "arrow"
            assert f"df → data/df.{kind}  24 × 3, " in run.text
            assert f"summary ← out/summary.{kind}  12 × 2, " in run.text
            shown = kernel.run("print(type(summary).__name__, [*summary.itertuples(0, None)])")
            assert shown.stdout == f"DataFrame {expected()}\n"
            assert "431" in ran["best"].text
            assert f"best ← out/best.{kind}  3 × 2, " in ran[work].text
            assert ran["%%vibekit_run\ntotal"].text.endswith(f"\n{sum(dict(expected()).values())}")
