"""No text takes long to draw, and what cannot be drawn is shown as plain text."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vibekit_jupyter.agents.diff import file_change
from vibekit_jupyter.events import (
    Event,
    FileChanged,
    FileShown,
    RawEvent,
    RunStarted,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
    event_from_dict,
)
from vibekit_jupyter.notebook import transcripts
from vibekit_jupyter.notebook.render import Transcript, rendered, to_html, to_plain
from vibekit_jupyter.notebook.render.artifact import artifact_html
from vibekit_jupyter.notebook.render.exported import inert, to_markdown
from vibekit_jupyter.notebook.render.limits import is_deep
from vibekit_jupyter.notebook.render.markdown import markdown_html
from vibekit_jupyter.notebook.render.text import terminal_html
from vibekit_jupyter.sessions.session import Turn

if TYPE_CHECKING:
    from pathlib import Path

HOME = "/home/user"
STARTED = RunStarted("codex", "m", "code", "x")
# Quadratic in one library or the other, or in what comes out of it.
SLOW = {
    "pictures": "![",
    "brackets": "[",
    "links": "[a](",
    "stars": "**a *b_ ",
    "tags": "<b>",
    "quotes": "> ",
    "bars": "|a",
    "strings": "\x9d",
    "escapes": "\x1b[",
    "ticks": "`a``",
}


def cpu_of(draw: Any, *arguments: Any) -> float:
    began = time.process_time()
    draw(*arguments)
    return time.process_time() - began


@pytest.mark.parametrize("piece", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("draw", [markdown_html, terminal_html, inert])
def test_a_megabyte_of_any_text_is_drawn_at_once(draw: Any, piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    assert cpu_of(draw, text) < 3
    assert cpu_of(draw, text[:90_000]) < 3


@pytest.mark.parametrize(
    "text",
    [
        f"|{'a|' * 100}\n|{'-|' * 100}\n" + "|\n" * 20_000,
        f"[a]: /{'u' * 24_000}\n\n" + "[a]" * 8000,
        "*" * 20_000 + "a" + "*" * 20_000,
    ],
    ids=["cells", "addresses", "emphasis"],
)
def test_a_text_does_not_become_a_page_of_megabytes(text: str) -> None:
    assert cpu_of(markdown_html, text) < 3
    assert len(markdown_html(text)) < 4_000_000


PAGES = ["<b>", "<div>", "<b id=%d><p>", "<a><div>", "<ul><li>", "<i><table>", "<svg><g>", "<x>"]


@pytest.mark.parametrize("piece", PAGES)
def test_a_page_of_nested_tags_is_named_and_not_cleaned(piece: str) -> None:
    page = "".join(piece % n if "%d" in piece else piece for n in range(400_000 // len(piece)))
    shown = file_shown("a.html", "text/html", page.encode())
    assert cpu_of(artifact_html, shown) < 1
    assert "nested too deeply" in artifact_html(shown)


def test_a_page_that_people_write_is_shown() -> None:
    rows = "<tr><td>1<td><b>2</b><br></tr>" * 5000
    page = f"<html><style>a > b {{}}</style><script>if (a<b) '<div>'</script><table>{rows}</table>"
    assert not is_deep(page)
    assert "<iframe" in artifact_html(file_shown("a.html", "text/html", page.encode()))


def file_shown(name: str, mime: str, data: bytes) -> FileShown:
    return FileShown(f"{HOME}/{name}", mime, base64.b64encode(data).decode(), len(data))


@pytest.mark.parametrize(
    ("name", "mime", "data"),
    [
        ("a.csv", "text/csv", b'"' + b"x" * 200_000),
        ("a.csv", "text/csv", b"," * 99_000),
        ("a.ipynb", "application/x-ipynb+json", b"[" * 100_000),
        ("a.ipynb", "application/x-ipynb+json", b'{"cells": [[]]}'),
        ("a.ipynb", "application/x-ipynb+json", b'{"cells": {"a": 1}}'),
        ("a.svg", "image/svg+xml", b"<svg" + b"<g>" * 100_000),
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n"),
        ("a.x", "a/b", b"x"),
    ],
)
def test_a_file_of_any_content_is_shown_or_named(name: str, mime: str, data: bytes) -> None:
    transcript = Transcript.of([STARTED, file_shown(name, mime, data)])
    assert name in to_html(transcript)


def test_a_file_of_one_long_line_is_drawn() -> None:
    change = file_change(f"{HOME}/a.txt", None, b"x" * 150_000)
    transcript = Transcript.of([STARTED, FileChanged(change), written(change)])
    assert "a.txt" in to_html(transcript)


def written(change: Any) -> Event:
    return ToolCallFinished("1", "write_file", ok=True, output="", change=change)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.data())
def test_a_record_that_holds_anything_can_be_shown(data: st.DataObject) -> None:
    events: list[dict[str, Any]] = [
        STARTED.to_dict(),
        TextDelta("word").to_dict(),
        ToolCallStarted("1", "run_command", {"command": "ls", "path": "a"}).to_dict(),
        written(file_change("/a", b"a\n", b"b\n")).to_dict(),
        file_shown("a.csv", "text/csv", b"a,b").to_dict(),
    ]
    for _ in range(3):
        event = data.draw(st.sampled_from(events))
        event[data.draw(st.sampled_from(sorted({*event} - {"type"})))] = data.draw(json_values)
    shown = rendered(Transcript.of(map(event_from_dict, events)))
    (shown.html + shown.plain + json.dumps(shown.metadata, ensure_ascii=False)).encode()


@pytest.mark.parametrize(
    "fields", [{"size": 1e999}, {"size": "1"}, {"path": None}, {"mime": 7}, {"data": []}]
)
def test_an_event_whose_fields_are_of_other_types_is_kept_raw(fields: dict[str, Any]) -> None:
    event = {**file_shown("a.csv", "text/csv", b"a").to_dict(), **fields}
    assert isinstance(event_from_dict(event), RawEvent)


LIVE = "http://attacker.invalid/a.png"
SAYINGS = [
    f"Look: ![a]({LIVE})",
    f"<img src={LIVE}>",
    f"![a][b]\n\n[b]: {LIVE}",
    "![a][b]",
    f"[b]: {LIVE}",
    f"```\ncode without an end ![a]({LIVE})",
    f"```\n![a]({LIVE})\n```",
    f"`````\n```\n![a]({LIVE})",
    f"<!-- \n\n![a]({LIVE})",
    f"<script>\n\n![a]({LIVE})",
    f"- a\n\n      ![a]({LIVE})",
    f"~~~\n![a]({LIVE})",
    f"> ```\n![a]({LIVE})",
    f"| a |\n|---|\n| ![a]({LIVE}) |",
]


@pytest.mark.parametrize("first", SAYINGS)
def test_a_conversation_in_markdown_holds_no_picture_from_elsewhere(
    first: str, tmp_path: Path
) -> None:
    for second in SAYINGS:
        turns = [turn(first, first), turn(second, second)]
        transcripts.written(turns, str(tmp_path / "talk.md"), force=True)
        text = (tmp_path / "talk.md").read_text()
        page = MarkdownIt("commonmark").enable("table").render(text)
        assert "<img" not in page
        assert "<script" not in page
        assert "<!--" not in page


def turn(prompt: str, said: str) -> Turn:
    call = ToolCallStarted("1", "run_command", {"command": f"echo '{said}'"})
    events = [RunStarted("codex", "m", "code", prompt), TextDelta(said), call, TextDelta(said)]
    return Turn(
        number=1,
        prompt=prompt,
        agent="codex",
        model=f"m ![a]({LIVE})",
        mode="code",
        status="done",
        text=said,
        started=datetime.now(UTC),
        duration=1,
        notebook="",
        error="",
        fresh=False,
        files=(),
        usage={},
        events=[event.to_dict() for event in events],
        session_id="i1",
    )


def test_words_that_do_nothing_stay_markdown() -> None:
    said = "# Done\n\n- `List<int>`\n- **bold** [link](http://a.example)\n\n```html\n<img>\n```"
    assert said in to_markdown(Transcript.of([STARTED, TextDelta(said)]))


@pytest.mark.parametrize("form", ["md", "ipynb", "json"])
def test_a_conversation_with_halves_of_characters_can_be_written(form: str, tmp_path: Path) -> None:
    transcripts.written([turn("a\ud800b\0c", "a\udc00b\0c")], str(tmp_path / f"talk.{form}"))
    assert (tmp_path / f"talk.{form}").read_text()


def test_a_conversation_with_halves_of_characters_can_be_shown() -> None:
    shown = transcripts.shown([turn("a\ud800b\0c", "a\udc00b\0c")])
    (shown.plain + shown.html).encode()
    assert to_plain(Transcript.of([STARTED]))
