"""A kernel at silent work says so to its server now and then, and no notebook keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.kernel import Kernel
from tests.support.local_server import stop_local_server
from tests.support.surroundings import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OFTEN = (
    "%load_ext vibekit_jupyter\nfrom vibekit_jupyter import get_client\n"
    "from vibekit_jupyter.notebook import signs_of_life\n"
    "signs_of_life.PERIOD = 0.2\nclient = get_client()"
)
SILENT = {
    "command": "done = await client.execute_command('sleep 2')",
    "blocking command": "done = client.sync.execute_command('sleep 2')",
    "code": "%%vibekit_run --lang bash\nsleep 2",
    "run": "%%vibekit\n```bash\nsleep 2\n```",
    "captured": "%%capture kept\ndone = client.sync.execute_command('sleep 2')",
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("alive") / "home") as kernel:
        assert kernel.run(OFTEN).status == "ok"
        assert kernel.run("await client.execute_command('true')").status == "ok"
        yield kernel


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_silent_work_gives_signs_of_life_that_are_no_outputs(kernel: Kernel, code: str) -> None:
    signs = [
        content
        for kind, content in kernel.outputs(kernel.begin(code))
        if kind == "update_display_data" and content["transient"]["display_id"][:8] == "vibekit-"
    ]
    assert len(signs) >= 3
    assert all(content["data"] == {} for content in signs)


def test_what_was_captured_holds_none(kernel: Kernel) -> None:
    assert kernel.run(f"{SILENT['captured']}").status == "ok"
    assert kernel.run("assert kept.outputs == [] and kept.stdout == ''").status == "ok"


def test_idle_work_and_ended_work_are_silent(kernel: Kernel) -> None:
    kernel.run("await client.execute_command('true')")
    kinds = [kind for kind, _ in kernel.outputs(kernel.begin("import time\ntime.sleep(1)"))]
    assert "update_display_data" not in kinds


def test_a_notebook_is_stored_without_them(vibekit_home: Path) -> None:
    cells = [OFTEN, "await client.execute_command('true')\nNone", *SILENT.values()]
    new_cells = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=new_cells)  # type: ignore[no-untyped-call]
    environment = {**clean_environment(), "VIBEKIT_HOME": str(vibekit_home)}
    try:
        NotebookClient(notebook, timeout=60).execute(env=environment)
    finally:
        stop_local_server(vibekit_home)
    shown = [cell.outputs for cell in notebook.cells]
    assert shown[2] == shown[3] == shown[6] == []
    assert "vibekit-" not in str(shown[4])
