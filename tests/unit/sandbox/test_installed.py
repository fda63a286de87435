"""The SDKs are imported in threads, beside whatever else the kernel imports just then."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from vibekit_jupyter.sandbox.installed import installed_first

if TYPE_CHECKING:
    import pytest

# Of the standard library, and imported by nobody.
UNKNOWN_SO_FAR = "antigravity"


class AnSdksImport(MetaPathFinder):
    """Goes on in its thread until another thread's import comes to it, and finds nothing."""

    def __init__(self) -> None:
        self.begun, self.over = Event(), Event()
        self.thread = Thread(target=self.go_on)
        self.thread.start()
        self.begun.wait()

    def go_on(self) -> None:
        with installed_first():
            self.begun.set()
            self.over.wait()

    def find_spec(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def test_an_import_misses_no_finder_when_an_sdks_import_ends_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    beside = AnSdksImport()
    sys.meta_path.insert(sys.meta_path.index(PathFinder), beside)
    assert importlib.util.find_spec(UNKNOWN_SO_FAR) is not None
    assert not beside.thread.is_alive()


def test_it_ends_with_what_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"{UNKNOWN_SO_FAR}.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")

    def found_here() -> bool:
        spec = importlib.util.find_spec(UNKNOWN_SO_FAR)
        assert spec is not None
        return Path(str(spec.origin)).parent == tmp_path

    with installed_first():
        with installed_first():
            assert not found_here()
        assert not found_here()
    assert found_here()
