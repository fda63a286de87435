"""A call of a model goes out only where its bound and its user's budgets have room for it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import ConfigurationError, RunLimitError
from vibekit_jupyter.events import RunStarted
from vibekit_jupyter.results import Usage
from vibekit_jupyter.runs.spending import Spending, budgets, day_costs
from vibekit_jupyter.sessions.registry import Registry
from vibekit_jupyter.sessions.session import Session
from vibekit_jupyter.settings.config import Service, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = Service(id="local", title="local sandbox", api_key="e2b_1")
# A dollar for a thousand tokens in, two for a thousand out.
PRICES = {"gpt-*": {"input": 1000.0, "cached": 100.0, "output": 2000.0}}
STARTED = RunStarted("codex", "gpt-6", "code", "Do it")


@pytest.fixture
def registry(vibekit_home: Path) -> Iterator[Registry]:
    with closing(Registry()) as registry:
        registry.add(
            Session(id="i1", name="s", service="local", user="ada", service_id="local"), HERE
        )
        yield registry


def spend(registry: Registry, dollars: float | None, *, user: str = "ada", **columns: Any) -> None:
    turn = registry.begin_turn(
        "local", "i1", prompt="p", agent="codex", model="gpt-6", mode="code", user=user
    )
    registry.update_turn(turn, cost=dollars, **columns)


def of(registry: Registry, started: RunStarted = STARTED, **bounds: Any) -> Spending:
    return Spending.of(Settings(prices=PRICES, **bounds), registry, "ada", started)


def test_a_run_stops_before_a_call_whose_input_would_go_over(registry: Registry) -> None:
    spending = of(registry, max_cost=1.0)
    spending.before(1000)  # exactly the bound is within it
    spending.after(Usage(300, 0, 100))
    spending.before(500)
    with pytest.raises(RunLimitError) as caught:
        spending.before(501)
    assert str(caught.value) == (
        "The run stopped at its bound of $1.00 ($0.50 spent; the next call's input may cost $0.50)."
        " Ask it to go on."
    )


def test_a_run_stops_at_its_bound(registry: Registry) -> None:
    spending = of(registry, max_cost=1.0)
    spending.after(Usage(400, 0, 300))
    with pytest.raises(RunLimitError, match=r"at its bound of \$1.00 \(\$1.00 spent\)"):
        spending.before(0)


def test_a_run_that_cannot_begin_says_how_it_could(registry: Registry) -> None:
    with pytest.raises(RunLimitError, match=r"--max-cost.*--fresh"):
        of(registry, max_cost=0.5).before(1000)


def test_what_was_cached_costs_what_it_costs(registry: Registry) -> None:
    spending = of(registry)
    spending.after(Usage(1000, 1000, 0))
    assert spending.cost == pytest.approx(0.1)


def test_a_days_budget_is_used_by_all_runs_of_the_day(registry: Registry) -> None:
    spend(registry, 4.0)
    spend(registry, 1.02)
    spend(registry, 100.0, user="bob")
    with pytest.raises(RunLimitError) as caught:
        of(registry, budget_day=5.0).before(0)
    assert str(caught.value) == (
        "Your budget of $5.00 for today is used ($5.02; runs: %vibekit_config usage)."
        " It opens again at 00:00 UTC."
    )
    of(registry, budget_day=5.03).before(0)


def test_the_next_call_has_to_fit_into_a_budget(registry: Registry) -> None:
    spend(registry, 4.5)
    spending = of(registry, budget_day=5.0)
    spending.before(500)
    with pytest.raises(RunLimitError, match=r"does not pay for the next call.*\$0.60"):
        spending.before(600)


def test_a_months_budget_goes_from_its_first_day(registry: Registry) -> None:
    now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    for moment, dollars in (
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), 100.0),
        (datetime(2026, 12, 1, tzinfo=UTC), 2.0),
        (datetime(2026, 12, 30, tzinfo=UTC), 3.0),
        (now, 4.0),
    ):
        spend(registry, dollars, started=moment.timestamp())
    day, month = budgets(
        Settings(prices=PRICES, budget_day=5.0, budget_month=50.0), registry, "ada", now
    )
    assert (day.used, month.used) == (4.0, 9.0)
    assert day.ends == month.ends == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_run_over_midnight_belongs_to_the_day_that_it_began_on(registry: Registry) -> None:
    began = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    spend(registry, 4.0, started=began.timestamp())
    spend(registry, 4.0, started=datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    spending = of(registry, budget_day=5.0, budget_month=5.0)
    spending.began = began
    spending.before(1000)
    with pytest.raises(RunLimitError, match="for today does not pay"):
        spending.before(1001)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(10, 1_000_000, 0), 0.001),
        (Usage(1000, -5, 0), 1.0),
        (Usage(-1000, -1000, -1000), 0.0),
        (Usage(-1000, 0, 1000), 2.0),
    ],
)
def test_no_answer_gives_money_back(registry: Registry, usage: Usage, cost: float) -> None:
    spending = of(registry)
    spending.after(usage)
    assert spending.cost == pytest.approx(cost)


def test_a_months_budget_says_when_it_opens_again(registry: Registry) -> None:
    spend(registry, 7.0)
    with pytest.raises(RunLimitError, match=r"for this month is used .* on 1 \w+ at 00:00 UTC"):
        of(registry, budget_month=7.0).before(0)


def test_each_run_sees_what_the_others_cost(registry: Registry) -> None:
    one, other = of(registry, budget_day=1.0), of(registry, budget_day=1.0)
    turn = registry.begin_turn(
        "local", "i1", prompt="p", agent="codex", model="gpt-6", mode="code", user="ada"
    )
    one.keep = lambda: registry.update_turn(turn, cost=one.cost)
    one.before(0)
    other.before(0)
    one.after(Usage(1000, 0, 0))
    with pytest.raises(RunLimitError, match="for today is used"):
        other.before(0)


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        ({"max_cost": 1.0}, "max_cost is set"),
        ({"budget_day": 1.0}, "a budget for the day is set"),
        ({"budget_month": 1.0}, "a budget for the month is set"),
    ],
)
def test_a_model_without_a_price_is_refused_under_a_bound(
    registry: Registry, bounds: dict[str, float], named: str
) -> None:
    unknown = RunStarted("codex", "mystery", "code", "Do it")
    with pytest.raises(ConfigurationError) as caught:
        of(registry, unknown, **bounds)
    assert named in str(caught.value)
    assert '[prices."mystery"]' in str(caught.value)
    assert "VIBEKIT_PRICES" in str(caught.value)
    assert of(registry, unknown).cost is None


def test_what_costs_nothing_goes_on_under_a_used_budget(registry: Registry) -> None:
    spend(registry, 5.0)
    of(registry, RunStarted("codex", "demo", "code", "p", demo=True), budget_day=5.0).before(99)
    free = Settings(prices={"*": {"input": 0.0, "output": 0.0}}, budget_day=5.0)
    Spending.of(free, registry, "ada", STARTED).before(99)


def test_a_service_that_counts_nothing_is_found_out(registry: Registry) -> None:
    spending = of(registry, max_cost=1.0)
    spending.after(Usage())
    with pytest.raises(RunLimitError, match="does not say how many tokens"):
        spending.before(0)


def test_turns_from_before_their_model_had_a_price_cost_its_price_of_today(
    registry: Registry,
) -> None:
    spend(registry, None, usage={"input": 1000, "cached": 0, "output": 0})
    spend(registry, 0.25, usage={"input": 9, "cached": 0, "output": 0})
    costs = registry.costs("ada", datetime(2020, 1, 1, tzinfo=UTC))
    (told,) = day_costs(costs, Settings(prices=PRICES))
    assert told.cost == pytest.approx(1.25)
    (told,) = day_costs(costs, Settings())
    assert told.cost == 0.25
