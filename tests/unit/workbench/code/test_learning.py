"""An interpreter that learns takes no file of the cells' folder for the library's; cells do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vibekit_jupyter.workbench.code.driver_learning import learn

if TYPE_CHECKING:
    import pytest

MODULE = """
import importlib.util
import threading

found = {}

def look(by):
    found[by + " antigravity"] = importlib.util.find_spec("antigravity").origin

look("learner")
thread = threading.Thread(target=look, args=("cell",))
thread.start()
thread.join()

def actions(names, run):
    return found
"""


class Interpreter:
    """Has nothing."""

    names = run = None


def test_who_learns_takes_the_librarys_and_a_cell_that_goes_on_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "antigravity.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    request = {"package": "_lesson", "module": "_lesson.one"}
    texts = {"_lesson": "", "_lesson.one": MODULE}
    found = learn({**request, "texts": texts}, Interpreter())
    assert {name: Path(origin).parent == tmp_path for name, origin in found.items()} == {
        "_lesson.learner antigravity": False,
        "_lesson.cell antigravity": True,
    }
    # Another kernel that has the same version asks again.
    assert learn({**request, "texts": texts}, Interpreter()) == found
