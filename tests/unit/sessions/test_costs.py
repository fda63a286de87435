"""What turns took is summed by day, model and project, each turn once and for who asked."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.results import Usage
from vibekit_jupyter.sessions import costs
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.schema import MIGRATIONS, open_database
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = Service(id="local", title="local sandbox", api_key="e2b_1")
MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture
def registry(vibekit_home: Path) -> Iterator[Registry]:
    with closing(Registry()) as registry:
        yield registry


def a_session(registry: Registry, name: str = "sales", **fields: Any) -> Session:
    given = {"user": "ada", "project": "q3", "service_id": HERE.id, **fields}
    return registry.add(Session(id=f"i-{name}", name=name, service=HERE.title, **given), HERE)


def a_turn(
    registry: Registry,
    session: Session,
    started: datetime,
    *,
    user: str = "ada",
    model: str = "gpt",
    **columns: Any,
) -> int:
    turn = registry.begin_turn(
        session.service_id,
        session.id,
        prompt="Do it",
        agent="codex",
        model=model,
        mode="code",
        user=user,
    )
    given = {"usage": {"input": 10, "cached": 4, "output": 2}, "cost": 0.5, **columns}
    registry.update_turn(turn, started=started.timestamp(), **given)
    return turn


def test_days_are_those_of_utc(registry: Registry) -> None:
    session = a_session(registry)
    a_turn(registry, session, MIDNIGHT - timedelta(seconds=1))
    a_turn(registry, session, MIDNIGHT)
    a_turn(registry, session, MIDNIGHT + timedelta(hours=23))
    before, today = registry.costs("ada", MIDNIGHT - timedelta(days=1))
    assert (before.day, before.runs, before.cost) == (date(2026, 11, 25), 1, 0.5)
    assert (today.day, today.runs, today.cost) == (date(2026, 11, 26), 2, 1.0)
    assert today.usage == Usage(20, 8, 4)
    assert [each.runs for each in registry.costs("ada", MIDNIGHT)] == [2]


def test_models_and_projects_stand_apart(registry: Registry) -> None:
    a_turn(registry, a_session(registry), MIDNIGHT)
    a_turn(registry, a_session(registry, "other", project=""), MIDNIGHT, model="opus")
    told = [(each.model, each.project) for each in registry.costs("ada", MIDNIGHT)]
    assert told == [("gpt", "q3"), ("opus", "")]


def test_a_copy_of_a_turn_is_not_paid_twice(registry: Registry) -> None:
    session, copy = a_session(registry), a_session(registry, "copy", user="bob")
    turn = a_turn(registry, session, MIDNIGHT, user="")
    registry.copy_turns(session, copy)
    registry.copy_turns(copy, a_session(registry, "third"))
    # What was copied while it went on has cost more since.
    registry.update_turn(turn, cost=0.75)
    assert [(each.runs, each.cost) for each in registry.costs("ada", MIDNIGHT)] == [(1, 0.75)]
    assert registry.costs("bob", MIDNIGHT) == []


def test_who_asked_pays_in_whosever_session(registry: Registry) -> None:
    session = a_session(registry)
    a_turn(registry, session, MIDNIGHT, user="bob", cost=2.0)
    a_turn(registry, session, MIDNIGHT + timedelta(seconds=1), user="")
    assert [each.cost for each in registry.costs("bob", MIDNIGHT)] == [2.0]
    assert [each.cost for each in registry.costs("ada", MIDNIGHT)] == [0.5]


def test_what_had_no_price_is_told_apart(registry: Registry) -> None:
    session = a_session(registry)
    a_turn(registry, session, MIDNIGHT, cost=None)
    a_turn(registry, session, MIDNIGHT + timedelta(seconds=1), cost=None, usage={})
    (told,) = registry.costs("ada", MIDNIGHT)
    assert (told.runs, told.cost, told.unpriced) == (2, None, Usage(10, 4, 2))


def test_counts_without_end_are_no_error(registry: Registry) -> None:
    session = a_session(registry)
    for second in range(3):
        usage = {"input": 2**62, "cached": 0, "output": 2**62}
        a_turn(registry, session, MIDNIGHT + timedelta(seconds=second), cost=None, usage=usage)
    (told,) = registry.costs("ada", MIDNIGHT)
    assert told.usage.input >= 2**63


def test_a_forgotten_session_was_paid_all_the_same(registry: Registry) -> None:
    session = a_session(registry)
    a_turn(registry, session, MIDNIGHT)
    registry.update(session, forgotten=True)
    assert [each.cost for each in registry.costs("ada", MIDNIGHT)] == [0.5]


def test_asking_makes_no_file(registry: Registry, vibekit_home: Path) -> None:
    assert registry.costs("ada", MIDNIGHT) == []
    assert not vibekit_home.exists()


def test_what_is_asked_before_each_call_is_the_same_sum(registry: Registry) -> None:
    session = a_session(registry)
    a_turn(registry, session, MIDNIGHT - timedelta(days=1))
    turn = a_turn(registry, session, MIDNIGHT)
    a_turn(registry, session, MIDNIGHT + timedelta(seconds=1), cost=None)
    a_turn(registry, session, MIDNIGHT, model="opus")
    registry.copy_turns(session, a_session(registry, "copy", user="bob"))
    registry.update_turn(turn, cost=0.75)
    assert registry.spent("ada", MIDNIGHT) == [
        ("gpt", 0.75, Usage()),
        ("opus", 0.5, Usage()),
        ("gpt", 0.0, Usage(10, 4, 2)),
    ]
    assert registry.spent("bob", MIDNIGHT) == []
    assert registry.spent("ada", MIDNIGHT - timedelta(days=1), MIDNIGHT) == [("gpt", 0.5, Usage())]


def test_what_is_asked_before_each_call_reads_no_turn(registry: Registry) -> None:
    with registry.reading() as database:
        asked = {"since": 0.0, "until": 1.0, "user": "ada"}
        plan = database.execute(f"EXPLAIN QUERY PLAN {costs.SPENT}", asked)
        details = [row["detail"] for row in plan]
    assert any("COVERING INDEX turn_cost (started>? AND started<?)" in detail for detail in details)


def test_a_file_from_before_costs_were_recorded_opens(registry: Registry) -> None:
    with closing(open_database(registry.path, MIGRATIONS[:5])) as database:
        database.execute(
            "INSERT INTO session (service, id, title, name, user, created, last_used)"
            " VALUES ('local', 'i1', 'local', 'sales', 'ada', 1, 1)"
        )
        database.execute(
            "INSERT INTO turn"
            " (service, session, agent, model, mode, prompt, status, started, usage)"
            " VALUES ('local', 'i1', 'codex', 'gpt', 'code', 'Do it', 'done', ?, ?)",
            (MIDNIGHT.timestamp(), '{"input": 3, "cached": 1, "output": 2}'),
        )
    (told,) = registry.costs("ada", MIDNIGHT)
    assert (told.runs, told.cost, told.unpriced) == (1, None, Usage(3, 1, 2))
