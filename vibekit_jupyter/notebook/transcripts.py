"""A session's conversation as a transcript: in the cell, or in a file of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.render import Rendered, Transcript, message, rendered
from vibekit_jupyter.notebook.render.exported import inert, to_markdown
from vibekit_jupyter.notebook.render.limits import drawing_time
from vibekit_jupyter.notebook.render.text import escape, visible
from vibekit_jupyter.notebook.render.words import plural
from vibekit_jupyter.runs.lesson import ENDING, lesson
from vibekit_jupyter.runs.records import events_of
from vibekit_jupyter.settings.home import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vibekit_jupyter.sessions.session import Turn

__all__ = ["saved", "shown", "written"]

MOST_TIME = 10.0  # seconds of drawing
PROMPT_STYLE = "white-space:pre-wrap;font-weight:600;margin:10px 0 4px"


def shown(turns: Sequence[Turn]) -> Rendered:
    """Return a session's conversation to show in a cell: each prompt, and its run below."""
    if not turns:
        return message("Nothing was said in this session yet.")
    with drawing_time(MOST_TIME):
        runs = [_run(turn) for turn in turns]
    return Rendered(
        "\n\n".join(
            f"> {_indented(visible(turn.prompt))}\n\n{run.plain}"
            for turn, run in zip(turns, runs, strict=True)
        ),
        "".join(
            f'<div style="{PROMPT_STYLE}">{escape(turn.prompt)}</div>{run.html}'
            for turn, run in zip(turns, runs, strict=True)
        ),
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


def _run(turn: Turn) -> Rendered:
    return rendered(Transcript.of(events_of(turn)))


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
        source = f"%%vibekit --agent {turn.agent}\n{turn.prompt}"
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
