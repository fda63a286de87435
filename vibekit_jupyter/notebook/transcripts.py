"""A session's conversation as a transcript: in the cell, or in a file of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.render import Rendered, Transcript, message, rendered, style
from vibekit_jupyter.notebook.render.exported import inert, to_markdown
from vibekit_jupyter.notebook.render.folded import size
from vibekit_jupyter.notebook.render.html import ROOM
from vibekit_jupyter.notebook.render.limits import drawing_time
from vibekit_jupyter.notebook.render.text import escape, visible
from vibekit_jupyter.notebook.render.words import plural
from vibekit_jupyter.runs.lesson import ENDING, lesson
from vibekit_jupyter.runs.records import events_of
from vibekit_jupyter.sandbox.bounded_text import BoundedText
from vibekit_jupyter.settings.home import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.sessions.session import Turn

__all__ = ["one", "saved", "shown", "written"]

MOST_TIME = 10.0  # seconds of drawing
MOST_PROMPT = 20_000  # characters
MARGIN = 200_000  # bytes, for the turn that has no room any more
PROMPT_STYLE = (
    f"{style.SANS};white-space:pre-wrap;overflow-wrap:anywhere;font-weight:600;margin:10px 0 4px"
)


def shown(turns: Sequence[Turn], last: int | None = None) -> Rendered:
    """Return a session's conversation to show in a cell: each prompt, and its run below.

    What is shown is small enough for a notebook: the last turns get their room first.

    Parameters
    ----------
    last
        How many turns to show; without it, all of them.
    """
    if not turns:
        return message("Nothing was said in this session yet.")
    first = 0 if last is None else max(0, len(turns) - last)
    room = ROOM - MARGIN
    parts: list[Rendered] = []
    with drawing_time(MOST_TIME):
        for number, turn in reversed([*enumerate(turns, 1)][first:]):
            part = _turn(number, turn, room)
            room = max(0, room - size(part.html) - size(part.plain))
            parts.append(part)
            if not room:
                first = number - 1
                break
    if first:
        earlier = f"{plural(first, 'earlier turn')}: %vibekit_session history --all, or --turn N"
        parts.append(Rendered(earlier, f'<div style="{style.SANS};{style.QUIET}">{earlier}</div>'))
    parts.reverse()
    return Rendered("\n\n".join(part.plain for part in parts), "".join(part.html for part in parts))


def one(turns: Sequence[Turn], number: int) -> Rendered:
    """Return one turn of a conversation, counted from 1; a negative number counts from its end.

    Raises
    ------
    ConfigurationError
        There is no such turn.
    """
    place = number - 1 if number > 0 else len(turns) + number
    if number == 0 or not 0 <= place < len(turns):
        raise ConfigurationError(
            f"There is no turn {number}: the conversation has {plural(len(turns), 'turn')}.",
            hint="%vibekit_session history shows the last of them.",
        )
    return _turn(place + 1, turns[place], None)


def _turn(number: int, turn: Turn, room: int | None) -> Rendered:
    """Return a prompt, with its number, and the run below."""
    prompt = BoundedText.of(MOST_PROMPT)
    prompt.append(turn.prompt)
    run = _run(turn, room)
    count = style.span(f"{style.DIM};font-weight:400", f"{number} · ")
    return Rendered(
        f"> {_indented(visible(str(prompt)))}\n\n{run.plain}",
        f'<div style="{PROMPT_STYLE}">{count}{escape(str(prompt))}</div>{run.html}',
    )


def written(turns: Sequence[Turn], to: str, *, force: bool = False) -> Rendered:
    """Write a session's conversation to a file that only its owner can read.

    Raises
    ------
    ConfigurationError
        The file's ending is none of ``.md``, ``.ipynb`` and ``.json``, or it cannot be written;
        it is there, and ``force`` is not given.
    """
    path = Path(to).expanduser()
    form = FORMS.get(path.suffix)
    if form is None:
        raise ConfigurationError(
            f"A conversation cannot be written to {path.name!r}.",
            hint=f"End the file's name in {', '.join(FORMS)}.",
        )
    _write(path, form(turns), force=force)
    return message(f"The conversation ({plural(len(turns), 'turn')}) is in {path}.")


def saved(turns: Sequence[Turn], to: str, *, force: bool = False) -> Rendered:
    """Write a session's runs to a file that others may be shown them from.

    Raises
    ------
    ConfigurationError
        As ``written``; the ending is ``.vibekit.json``.
    """
    path = Path(to).expanduser()
    if not path.name.endswith(ENDING) or path.name == ENDING:
        raise ConfigurationError(
            f"Recorded runs cannot be saved to {path.name!r}.",
            hint=f"End the file's name in {ENDING}, and put it beside the notebook.",
        )
    text, count = lesson(turns)
    _write(path, text, force=force, mode=0o644)
    return message(
        f"{plural(count, 'run')} saved in {path}. A notebook beside it shows them with "
        "VIBEKIT_RERUN=never, on any machine."
    )


def _write(path: Path, text: str, *, force: bool, mode: int = 0o600) -> None:
    if not force and (path.exists() or path.is_symlink()):
        raise ConfigurationError(
            f"The file {path} is there already.", hint="Name another one, or add --force."
        )
    try:
        write_private(path, well_formed(text))
        path.chmod(mode)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another file."
        ) from error


def _run(turn: Turn, room: int | None = None) -> Rendered:
    return rendered(Transcript.of(events_of(turn)), room=room)


def _indented(text: str) -> str:
    return text.strip().replace("\n", "\n> ")


def _markdown(turns: Sequence[Turn]) -> str:
    parts = []
    for turn in turns:
        who = "".join(re.findall(r"[\w. /:()-]", f"{turn.agent} ({turn.model})"))
        head = f"## {who}, {turn.started:%Y-%m-%d %H:%M} UTC, {turn.status}"
        # In fences where it might fetch: a prompt may quote anything.
        prompt = inert(turn.prompt.strip())
        run = to_markdown(Transcript.of(events_of(turn)))
        parts += [head, f"> {_indented(prompt)}", run]
    return "\n\n".join(parts) + "\n"


def _json(turns: Sequence[Turn]) -> str:
    document = {
        "version": 1,
        "turns": [{**vars(turn), "started": turn.started.isoformat()} for turn in turns],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _notebook(turns: Sequence[Turn]) -> str:
    """Return a notebook whose cells would ask the same again; outputs hold what was answered."""
    cells: list[dict[str, Any]] = [_cell("load", "%load_ext vibekit_jupyter", [])]
    for turn in turns:
        run = _run(turn)
        output = {"output_type": "display_data", "data": run.bundle(), "metadata": run.metadata}
        # What stands in braces was not replaced, or is a part of what was put in.
        verbatim = " --verbatim" if "{{" in turn.prompt else ""
        source = f"%%vibekit --agent {turn.agent}{verbatim}\n{turn.prompt}"
        cells.append(_cell(f"turn-{turn.number}", source, [output]))
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells},
        indent=1,
        ensure_ascii=False,
    )


def _cell(name: str, source: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "execution_count": None,
        "source": source,
        "outputs": outputs,
    }


FORMS: dict[str, Callable[[Sequence[Turn]], str]] = {
    ".md": _markdown,
    ".ipynb": _notebook,
    ".json": _json,
}
