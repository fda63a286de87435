"""The registry loses nothing that it confirmed, and never touches a file it does not know."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibekit_jupyter.errors import RegistryError, SessionNameError
from vibekit_jupyter.sessions.interpreters import InterpreterRecord
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.schema import MIGRATIONS, is_on_network, open_database
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Service(id="local", title="local sandbox", api_key="e2b_1")
THERE = Service(id="https://api.e2b.app#abc", title="E2B", api_key="e2b_2")


def a_session(session_id: str = "i1", name: str = "sales", user: str = "ada") -> Session:
    return Session(id=session_id, name=name, service=HERE.title, user=user)


@pytest.fixture
def registry(vibekit_home: Path) -> Iterator[Registry]:
    with closing(Registry()) as registry:
        yield registry


def test_a_session_is_read_as_it_was_written(registry: Registry) -> None:
    written = dataclasses.replace(
        a_session(),
        project="q3",
        notebook="/n/quickstart.ipynb",
        state="running",
        ends_at=datetime(2030, 1, 1, tzinfo=UTC),
        created=datetime(2029, 1, 1, tzinfo=UTC),
        timeout=60.0,
        internet=True,
        confinement="bubblewrap",
        service_id=HERE.id,
    )
    registry.add(written, HERE)
    with closing(Registry()) as other:
        read = other.get(HERE.id, "i1")
    assert read is not None
    assert dataclasses.replace(read, last_used=None) == written


def test_a_taken_name_is_refused_and_set_is_named(registry: Registry) -> None:
    registry.add(a_session("i1"), HERE)
    with pytest.raises(SessionNameError, match="%vibekit_session set sales"):
        registry.add(a_session("i2"), HERE)
    assert registry.get(HERE.id, "i2") is None


def test_names_are_ones_own_and_each_services_own(registry: Registry) -> None:
    registry.add(a_session("i1", user="ada"), HERE)
    registry.add(a_session("i2", user="bob"), HERE)
    registry.add(a_session("i3", user="ada"), THERE)
    found = registry.by_name("ada", HERE.id, "sales")
    assert found is not None
    assert found.id == "i1"
    assert [one.id for one in registry.sessions("bob")] == ["i2"]


def test_a_forgotten_session_frees_its_name(registry: Registry) -> None:
    first = registry.add(a_session("i1"), HERE)
    registry.update(first, forgotten=1)
    registry.add(a_session("i2"), HERE)
    assert [one.id for one in registry.sessions("ada")] == ["i2"]


def test_an_unnamed_session_is_called_after_its_notebook(registry: Registry) -> None:
    names = []
    for number in range(3):
        name = registry.free_name("ada", HERE.id, "/a b/quick start.ipynb")
        registry.add(a_session(f"i{number}", name), HERE)
        names.append(name)
    assert names == ["quick-start", "quick-start-2", "quick-start-3"]
    assert registry.free_name("ada", HERE.id, "") == "main"


def test_an_unnamed_copy_is_called_after_its_original(registry: Registry) -> None:
    for number, name in enumerate(("primes", "others-2", "week-05", "-", "-7")):
        registry.add(a_session(f"i{number}", name), HERE)
        copied = registry.copy_name("ada", HERE.id, name)
        registry.add(a_session(f"copy{number}", copied), HERE)
    names = {one.id: one.name for one in registry.sessions("ada")}
    copies = [names[f"copy{number}"] for number in range(5)]
    assert copies == ["primes-2", "others-3", "week-6", "--2", "-7-2"]


def test_a_notebook_knows_which_session_it_used_last(registry: Registry) -> None:
    for number in (1, 2):
        registry.add(a_session(f"i{number}", f"s{number}"), HERE)
        registry.remember("ada", "/n.ipynb", HERE.id, f"i{number}")
    last = registry.last_of_notebook("ada", "/n.ipynb")
    assert last is not None
    assert last.id == "i2"
    assert registry.last_of_notebook("bob", "/n.ipynb") is None


def test_asking_for_the_last_session_makes_no_file(registry: Registry, vibekit_home: Path) -> None:
    assert registry.last_of_notebook("ada", "/n.ipynb") is None
    assert not vibekit_home.exists()


def test_a_turn_is_there_from_its_first_moment(registry: Registry) -> None:
    session = registry.add(a_session(), HERE)
    turn = registry.begin_turn(
        HERE.id, session.id, prompt="p", agent="codex", model="demo", mode="code"
    )
    with closing(Registry()) as other:
        (running,) = other.turns(HERE.id, session.id)
    assert (running.status, running.text) == ("running", "")
    registry.update_turn(turn, [{"type": "notice", "text": "x"}], status="done", files=["a", "b"])
    with closing(Registry()) as other:
        (done,) = other.turns(HERE.id, session.id)
    assert (done.status, done.files) == ("done", ["a", "b"])
    assert registry.events(turn) == [{"type": "notice", "text": "x"}]
    counted = registry.get(HERE.id, session.id)
    assert counted is not None
    assert (counted.turns, counted.files, counted.agent) == (1, 2, "codex")


def test_events_can_be_added_step_by_step(registry: Registry) -> None:
    turn = registry.begin_turn(HERE.id, "i1", prompt="p", agent="codex", model="m", mode="code")
    for first in (0, 1):
        texts = [{"type": "notice", "text": str(number)} for number in range(first, first + 2)]
        registry.update_turn(turn, texts, first=first, tokens=first)
    assert [event["text"] for event in registry.events(turn)] == ["0", "1", "2"]


def test_of_two_kernels_that_close_a_dead_ones_turn_the_first_ones_word_stands(
    registry: Registry,
) -> None:
    turn = registry.begin_turn(HERE.id, "i1", prompt="p", agent="codex", model="m", mode="code")
    registry.update_turn(turn, [{"type": "notice", "text": "on record"}], first=0, tokens=1)
    registry.close_turn(turn, [{"type": "notice", "text": "all"}], first=1, status="done")
    registry.close_turn(turn, [{"type": "notice", "text": "less"}], first=1, status="interrupted")
    assert [event["text"] for event in registry.events(turn)] == ["on record", "all"]
    (closed,) = registry.turns(HERE.id, "i1")
    assert closed.status == "done"


def test_a_finished_turn_is_found_by_its_prompt(registry: Registry) -> None:
    long = "x" * 1000
    for number, user in ((1, "ada"), (2, "bob"), (3, "ada")):
        session = registry.add(a_session(f"i{number}", f"s{number}", user), HERE)
        for prompt in (long + "1", long + "2"):
            turn = registry.begin_turn(
                HERE.id, session.id, prompt=prompt, agent="codex", model="m", mode="code"
            )
            registry.update_turn(turn, status="failed" if prompt[-1] + user == "2ada" else "done")

    def found(prompt: str, **options: Any) -> str | None:
        turn = registry.finished_turn(prompt, HERE.id, **{"user": "ada", **options})
        return None if turn is None else turn.session_id

    assert found(long + "1") == "i3"
    assert found(long + "1", session_id="i1", agent="codex", mode="code") == "i1"
    assert found(long + "2") is None
    assert found(long + "2", session_id="i2") == "i2"
    assert found(long) is None
    assert found(long + "1", agent="claude") is None
    assert registry.finished_turn(long + "1", THERE.id, user="ada") is None


def test_a_finished_turn_is_looked_up_in_an_index(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    said: list[str] = []
    with registry.reading() as database:
        database.set_trace_callback(said.append)
    registry.finished_turn("p", HERE.id, user="ada")
    with registry.reading() as database:
        database.set_trace_callback(None)
        (query,) = (statement for statement in said if "FROM turn" in statement)
        plan = [row["detail"] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any("USING INDEX turn_prompt" in detail for detail in plan), plan
    assert not any(detail.startswith("SCAN") for detail in plan), plan


def test_a_turn_has_its_place_among_those_of_its_session(registry: Registry) -> None:
    sessions = ["i1", "i2", "i1", "i1", "i2"]
    turns = [
        registry.begin_turn("local", session, prompt="p", agent="codex", model="m", mode="code")
        for session in sessions
    ]
    asked = zip(turns, sessions, strict=True)
    assert [registry.place_of(turn, "local", session) for turn, session in asked] == [1, 1, 2, 3, 2]


@settings(max_examples=30, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_prompt_is_kept_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    registry = Registry(tmp_path_factory.mktemp("registry") / "sessions.sqlite")
    registry.begin_turn("local", "i1", prompt=text, agent="codex", model="m", mode="code")
    assert registry.turns("local", "i1")[0].prompt == text
    registry.close()


def test_only_its_owner_can_read_the_file(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    assert registry.path.stat().st_mode & 0o777 == 0o600
    assert registry.path.parent.stat().st_mode & 0o777 == 0o700


def test_the_interpreter_of_a_session_is_the_one_that_was_faster(registry: Registry) -> None:
    first, second, third = (InterpreterRecord(pid, f"mark {pid}") for pid in (1, 2, 3))
    place = (HERE.id, "i1")
    assert registry.interpreter(*place) is None
    assert registry.replace_interpreter(*place, first, instead_of=None) == first
    assert registry.replace_interpreter(*place, second, instead_of=None) == first
    assert registry.replace_interpreter(*place, third, instead_of=first) == third
    with closing(Registry()) as other:
        assert other.interpreter(*place) == third
        assert other.interpreter(HERE.id, "i2") is None


def test_a_file_from_before_there_were_interpreters_opens(registry: Registry) -> None:
    registry.path.parent.mkdir(parents=True)
    open_database(registry.path, MIGRATIONS[:4]).close()
    assert registry.interpreter(HERE.id, "i1") is None
    registry.replace_interpreter(HERE.id, "i1", InterpreterRecord(1, "m"), instead_of=None)
    assert registry.path.with_name("sessions.sqlite.v4").exists()


def test_a_newer_schema_is_refused_and_left_alone(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    registry.close()
    with sqlite3.connect(registry.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = registry.path.read_bytes()
    with pytest.raises(RegistryError, match="newer version"):
        registry.sessions()
    assert registry.path.read_bytes() == before


def test_a_copy_is_kept_before_a_migration(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    registry.close()
    later = [*MIGRATIONS, "ALTER TABLE session ADD COLUMN colour TEXT;"]
    open_database(registry.path, later).close()
    copy = registry.path.with_name(f"sessions.sqlite.v{len(MIGRATIONS)}")
    assert copy.stat().st_mode & 0o777 == 0o600
    database = sqlite3.connect(copy)
    assert database.execute("SELECT name FROM session").fetchall() == [("sales",)]
    database.close()


def test_a_migration_that_fails_changes_nothing(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    registry.close()
    with pytest.raises(sqlite3.OperationalError):
        open_database(registry.path, [*MIGRATIONS, "ALTER TABLE nothing ADD COLUMN x;"])
    assert [one.name for one in registry.sessions()] == ["sales"]


def test_a_file_that_is_no_database_is_said_to_be_unusable(registry: Registry) -> None:
    registry.path.parent.mkdir(parents=True)
    registry.path.write_text("not a database, and somebody's", encoding="utf-8")
    with pytest.raises(RegistryError, match="cannot be used"):
        registry.sessions()
    assert registry.path.read_text(encoding="utf-8").startswith("not a database")


def test_threads_of_one_kernel_share_it(registry: Registry) -> None:
    def write(number: int) -> None:
        registry.add(a_session(f"i{number}", f"s{number}"), HERE)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.sessions("ada")) == 20


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/shared/ada/x", True),  # not /home: on macOS that is a link
        ("/shared/ada/my dir/x", False),
        ("/tmp/x", False),  # noqa: S108 - a path in a table, not a file
        ("/mnt/ssh/x", True),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(path: str, *, network: bool) -> None:
    mounts = (
        "/dev/vda / ext4 rw 0 0\nserver:/home /shared nfs4 rw 0 0\n"
        "/dev/vdb /shared/ada/my\\040dir ext4 rw 0 0\nada@host: /mnt/ssh fuse.sshfs rw 0 0\n"
    )
    assert is_on_network(Path(path), mounts) is network


def test_a_home_that_is_a_link_to_a_network_is_on_it(tmp_path: Path) -> None:
    far, home = tmp_path.resolve() / "far", tmp_path / "home"
    far.mkdir()
    home.symlink_to(far)
    mounts = f"/dev/vda / ext4 rw 0 0\nserver:/export {far} nfs4 rw 0 0\n"
    assert is_on_network(home / "sessions.sqlite", mounts)
    assert not is_on_network(tmp_path / "sessions.sqlite", mounts)


def test_a_look_changes_nothing(registry: Registry) -> None:
    registry.add(a_session(), HERE)
    registry.remember("ada", "/n.ipynb", HERE.id, "i1")
    registry.close()
    before = registry.path.read_bytes()
    with closing(Registry(read_only=True)) as look:
        last = look.last_of_notebook("ada", "/n.ipynb")
        assert last is not None
        assert last.id == "i1"
        with pytest.raises(RegistryError, match="readonly"):
            look.remember("ada", "/n.ipynb", HERE.id, "i1")
    assert registry.path.read_bytes() == before
