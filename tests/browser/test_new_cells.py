"""``--insert`` in JupyterLab: the answer's code stands in a new cell below, and has not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook

pytestmark = pytest.mark.browser

LOAD = "%load_ext vibekit_jupyter"
PRIMES = "%%vibekit --insert\nWrite primes.py that prints the first ten primes, and run it"


def test_the_answers_code_stands_in_a_new_cell_below(open_notebook: OpenNotebook) -> None:
    page = open_notebook([LOAD, PRIMES, "'the last cell'"])
    page.run(0)
    page.run(1, timeout=90)
    page.output(1).get_by_text("3 steps").wait_for()
    page.wait_for_cells(4)
    _, asked, new, last = page.save()
    assert "".join(new["source"]).startswith("# from vibekit, session ")
    header, *code = "".join(new["source"]).split("\n")
    assert header.endswith(", run 1 — read before you run")
    assert any("print" in line for line in code)
    assert new["outputs"] == []
    assert new["execution_count"] is None
    assert "".join(last["source"]) == "'the last cell'"
    # The front end told which cell it is, so nothing is printed beside the card.
    assert [output["output_type"] for output in asked["outputs"]] == ["display_data"]
