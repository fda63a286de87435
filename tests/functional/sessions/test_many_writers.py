"""Fifty processes write at once and are killed: nothing that was confirmed is lost."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
from contextlib import closing

from tests.support.registry_writer import SERVICE
from vibekit_jupyter.sessions.registry import Registry

WRITERS = 50
CONFIRMED_BEFORE_THE_END = 3


def test_what_fifty_killed_writers_confirmed_is_there() -> None:
    with closing(Registry()) as registry:
        registry.sessions()  # all of them at once would also do, and take longer
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.registry_writer", f"w{number}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    confirmed: list[str] = []
    try:
        for writer in writers:
            assert writer.stdout is not None
            confirmed += [writer.stdout.readline() for _ in range(CONFIRMED_BEFORE_THE_END)]
        random.Random(7).shuffle(writers)  # noqa: S311 - not for secrets
    finally:
        for writer in writers:
            writer.kill()
    for writer in writers:
        with contextlib.closing(writer.stdout) as rest:  # type: ignore[type-var]  # it is a pipe
            assert rest is not None
            confirmed += [line for line in rest if line.endswith("\n")]
        writer.wait()

    with closing(Registry()) as registry:
        sessions = {session.id: session for session in registry.sessions("ada")}
        for kind, session_id in (line.split() for line in confirmed):
            assert session_id in sessions
            if kind == "turn":
                (turn,) = registry.turns(SERVICE.id, session_id)
                assert (turn.prompt, turn.status) == (session_id, "done")
                assert turn.events == [{"type": "notice", "text": session_id}]
        assert len({session.id.partition("x")[0] for session in sessions.values()}) == WRITERS
    with closing(sqlite3.connect(registry.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_all_of_them_may_make_the_file() -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.registry_writer", f"w{number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    for writer in writers:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        writer.kill()
        _, complaints = writer.communicate()
        assert first.startswith("session"), complaints
