"""A notebook travels with its recorded runs: another person's kernel shows them, asking nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Cell, Kernel
from tests.support.model_server import ModelServer
from vibekit_jupyter.demo_model.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-teachers-own-key"


def script(request: Request) -> Answer:
    return Answer(f"You said: {request.prompt}")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, server: ModelServer) -> Path:
    """A folder with the file that a teacher wrote."""
    folder = tmp_path_factory.mktemp("lesson")
    vendor = {"OPENAI_BASE_URL": server.openai_url, "OPENAI_API_KEY": KEY}
    with Kernel(folder / "teacher", vendor | {"VIBEKIT_ALLOW_UNCONFINED": "1"}) as kernel:
        cells = kernel.run_all(
            "%load_ext vibekit_jupyter",
            "%%vibekit\nhello, class",
            f"%%vibekit\nnever say {KEY}",
            f"%vibekit_session history --save {folder / 'lesson.vibekit.json'}",
        )
    assert [cell.status for cell in cells] == ["ok"] * 4, [cell.error for cell in cells]
    assert "2 runs saved" in cells[-1].text
    return folder


@pytest.fixture(params=["never", "only"])
def student(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Kernel]:
    """Somebody else's kernel in that folder, without a record of its own."""
    with Kernel(tmp_path / "student", {"VIBEKIT_RERUN": request.param}) as kernel:
        kernel.run(f"import os; os.chdir({str(folder)!r})")
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel


def html_of(cell: Cell) -> str:
    return "".join(str(data.get("text/html", "")) for data in cell.displays)


def test_a_student_is_shown_what_the_teacher_recorded(student: Kernel, server: ModelServer) -> None:
    asked = len(server.requests)
    cell = student.run("%%vibekit\nhello, class")
    assert cell.status == "ok", cell.error
    assert "You said: hello, class" in cell.text
    assert "Shown from the record" in html_of(cell)
    assert len(server.requests) == asked
    assert not list(student.home.glob("server-*.json"))


def test_with_only_what_is_not_recorded_is_refused(folder: Path, tmp_path: Path) -> None:
    with Kernel(tmp_path / "student", {"VIBEKIT_RERUN": "only"}) as kernel:
        kernel.run(f"import os; os.chdir({str(folder)!r})")
        kernel.run("%load_ext vibekit_jupyter")
        for cell in ("%%vibekit\nsomething else", "%vibekit something else"):
            refused = kernel.run(cell, stop_on_error=False)
            assert refused.error is not None
            assert len(refused.error) == 1
            assert "VIBEKIT_RERUN=only" in refused.error[0]
        assert not list(kernel.home.glob("server-*.json"))


def test_the_file_is_for_everybody_and_holds_no_key(folder: Path) -> None:
    file = folder / "lesson.vibekit.json"
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    assert KEY not in text
    assert str(folder) not in text
    assert len(json.loads(text)["turns"]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"vibekit": "lesson", "version": 99, "turns": []}',
        '{"vibekit": "lesson", "version": 1, "turns": [{}]}',
        '{"vibekit": "lesson", "version": 1, "turns": 7}',
        '{"vibekit": "lesson", "version": 1, "turns": [[]]}',
        "[" * 100_000,
        "\x00",
    ],
)
def test_a_file_that_is_none_of_ours_is_named(student: Kernel, folder: Path, text: str) -> None:
    other = folder / "a-other.vibekit.json"
    other.write_text(text)
    try:
        cell = student.run("%%vibekit\nhello, class", stop_on_error=False)
    finally:
        other.unlink()
    assert cell.error is not None
    assert len(cell.error) == 1
    assert "a-other.vibekit.json" in cell.error[0]
