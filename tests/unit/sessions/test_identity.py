"""A session is its service and its id; names, keys and labels move, and it stays the same one."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import SessionNameError
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.schema import MIGRATIONS, open_database
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service, local_service_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "https://api.e2b.app"
HERE = Service(id=URL, title="E2B", api_key="e2b_1", key_mark="one")


def a_session(
    session_id: str, name: str = "sales", user: str = "ada", **options: object
) -> Session:
    return dataclasses.replace(
        Session(session_id, name, HERE.title, state="running", user=user, service_id=HERE.id),
        **options,  # type: ignore[arg-type]  # what a test gives
    )


@pytest.fixture
def registry(vibekit_home: Path) -> Iterator[Registry]:
    with closing(Registry()) as registry:
        yield registry


def name_of(registry: Registry, session_id: str) -> str | None:
    found = registry.get(HERE.id, session_id)
    return None if found is None else found.name


def state_of(registry: Registry, session_id: str) -> str | None:
    found = registry.get(HERE.id, session_id)
    return None if found is None else found.state


def test_one_who_creates_is_not_hindered_by_one_who_looked(registry: Registry) -> None:
    seen = a_session("i1", project="p", named_here=False)
    registry.learn([seen], HERE, began=time.time())
    made = registry.add(a_session("i1", notebook="/n.ipynb"), HERE)
    assert (made.name, made.named_here, made.notebook) == ("sales", True, "/n.ipynb")


def test_a_label_gives_its_name_up_to_one_who_gives_it(registry: Registry) -> None:
    registry.learn([a_session("seen")], HERE, began=time.time())
    registry.add(a_session("made"), HERE)
    assert (name_of(registry, "made"), name_of(registry, "seen")) == ("sales", "seen")


def test_what_is_seen_takes_no_name_from_anybody(registry: Registry) -> None:
    registry.add(a_session("made"), HERE)
    registry.learn([a_session("seen"), a_session("bobs", user="bob")], HERE, began=time.time())
    assert [name_of(registry, one) for one in ("made", "seen", "bobs")] == [
        "sales",
        "seen",
        "sales",
    ]


def test_evidence_counts_only_if_it_is_newer(registry: Registry) -> None:
    began = time.time()
    made = registry.add(a_session("i1"), HERE)
    assert not registry.gone(made, began=began)
    assert registry.unlisted("ada", HERE, set(), began=began) == []
    assert state_of(registry, "i1") == "running"
    later = time.time()
    assert [one.id for one in registry.unlisted("ada", HERE, set(), began=later)] == ["i1"]
    assert registry.gone(made, began=later)
    registry.learn([a_session("i1")], HERE, began=began)  # a list that was on its way
    assert state_of(registry, "i1") == "gone"


def test_a_list_with_another_key_is_no_evidence(registry: Registry) -> None:
    registry.add(a_session("i1"), HERE)
    other = dataclasses.replace(HERE, key_mark="two")
    assert registry.unlisted("ada", other, set(), began=time.time()) == []


def test_a_name_moves_when_its_new_holder_exists(registry: Registry) -> None:
    old = registry.add(a_session("old", state="gone"), HERE)
    made = registry.replace(old, a_session("new", continued_from="old"), HERE)
    assert (made.id, made.name, name_of(registry, "old")) == ("new", "sales", "sales (gone)")
    second = registry.replace(old, a_session("late", continued_from="old"), HERE)
    assert second.id == "new"
    assert registry.get(HERE.id, "late") is None


def test_a_replacement_comes_with_the_turns(registry: Registry) -> None:
    old = registry.add(a_session("old", state="gone"), HERE)
    registry.begin_turn(HERE.id, "old", prompt="p", agent="codex", model="m", mode="code")
    registry.replace(old, a_session("new", continued_from="old"), HERE)
    (turn,) = registry.turns(HERE.id, "new")
    assert (turn.prompt, turn.status) == ("p", "interrupted")
    assert registry.owners_of_runs(HERE.id, "new") == []
    assert [one.status for one in registry.turns(HERE.id, "old")] == ["running"]


def test_a_taken_name_is_refused_in_every_way(registry: Registry) -> None:
    registry.add(a_session("i1"), HERE)
    other = registry.add(a_session("i2", "other"), HERE)
    with pytest.raises(SessionNameError, match="set sales"):
        registry.rename(other, "sales")
    with pytest.raises(SessionNameError, match="set sales"):
        registry.add(a_session("i3"), HERE)
    assert registry.add_numbered(a_session("i3"), HERE).name == "sales-2"


def test_a_year_at_the_end_of_a_name_is_no_number_of_ours(registry: Registry) -> None:
    registry.add(a_session("i1", "report-2024"), HERE)
    assert registry.copy_name("ada", HERE.id, "report-2024") == "report-2024-2"


def test_few_characters_of_an_id_name_nobody(registry: Registry) -> None:
    registry.add(a_session("1abcdef"), HERE)
    assert registry.beginning_with("ada", HERE.id, "1") == []
    assert [one.id for one in registry.beginning_with("ada", HERE.id, "1abc")] == ["1abcdef"]


def test_a_forgotten_session_is_offered_to_nobody(registry: Registry) -> None:
    made = registry.add(a_session("i1"), HERE)
    registry.remember("ada", "/n.ipynb", HERE.id, "i1")
    registry.update(made, forgotten=1)
    assert registry.last_of_notebook("ada", "/n.ipynb") is None


def test_a_registry_that_was_removed_is_made_anew(registry: Registry) -> None:
    registry.add(a_session("i1"), HERE)
    registry.path.unlink()
    registry.add(a_session("i2", "next"), HERE)
    with closing(Registry()) as other:
        assert [one.id for one in other.sessions()] == ["i2"]


def older(path: Path, version: int) -> sqlite3.Connection:
    open_database(path, MIGRATIONS[:version]).close()
    return sqlite3.connect(path)


def fill(database: sqlite3.Connection, rows: list[tuple[str, str, str, float]]) -> None:
    database.executemany(
        "INSERT INTO session (service, id, title, name, user, created, last_used)"
        " VALUES (?, ?, 't', ?, 'ada', 0, ?)",
        rows,
    )
    database.executemany(
        "INSERT INTO turn (service, session, agent, model, mode, prompt, status, started)"
        " VALUES (?, ?, 'codex', 'm', 'code', ?, 'done', 0)",
        [(service, session, f"{service} {session}") for service, session, _, _ in rows],
    )
    database.executemany(
        "INSERT INTO last_session VALUES ('ada', ?, ?, ?, 0)",
        [(f"/{service}/{session}", service, session) for service, session, _, _ in rows],
    )
    database.commit()
    database.close()


def test_a_registry_with_keys_in_its_services_opens_and_loses_nothing(
    registry: Registry, vibekit_home: Path
) -> None:
    vibekit_home.mkdir()
    rows = [
        ("local", "here", "sales", 1.0),
        (f"{URL}#one", "both", "sales", 1.0),
        (f"{URL}#two", "both", "sales", 2.0),
        (f"{URL}#one", "first", "report", 1.0),
        (f"{URL}/#two", "second", "report", 2.0),
    ]
    fill(older(registry.path, 2), rows)
    looked = Registry(read_only=True)
    with closing(looked):
        found = looked.last_of_notebook("ada", "/local/here")
        assert found is not None
        assert found.service_id == local_service_id()
    names = {one.id: (one.name, one.service_id, one.key_mark) for one in registry.sessions("ada")}
    assert names == {
        "here": ("sales", local_service_id(), ""),
        "both": ("sales", URL, "two"),
        "second": ("report", URL, "two"),
        "first": ("report (2)", URL, "one"),
    }
    assert len(registry.turns(URL, "both")) == 2
    for service, session, _, _ in rows:
        last = registry.last_of_notebook("ada", f"/{service}/{session}")
        assert last is not None
        assert last.id == session
    assert registry.path.with_name("sessions.sqlite.v2").exists()


def test_a_look_at_an_older_registry_changes_nothing(
    registry: Registry, vibekit_home: Path
) -> None:
    vibekit_home.mkdir()
    fill(older(registry.path, 1), [("local", "here", "sales", 1.0)])
    before = registry.path.read_bytes()
    with closing(Registry(read_only=True)) as look:
        assert [one.name for one in look.sessions()] == ["sales"]
    assert registry.path.read_bytes() == before
    assert [one.name for one in vibekit_home.iterdir() if "v1" in one.name] == []
