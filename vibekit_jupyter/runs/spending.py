"""What a run may cost, and what a user's runs cost: looked at before each call of a model.

What is promised: no call goes out when the bound is reached, or when the call's input alone, as
large as the conversation was at the last answer, would reach it. An answer's length is not known
before it is there, so that a run goes over its bound by one answer at most; of several runs at a
time of one user, each sees before each call what all of them have cost, and each may go over by
the answer that it waits for. An answer that breaks off is not counted: no service says what it
took.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import RunLimitError
from vibekit_jupyter.results import DayCosts, Usage
from vibekit_jupyter.settings.prices import dollars, no_price, price_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vibekit_jupyter.events import RunStarted
    from vibekit_jupyter.sessions.costs import Costs
    from vibekit_jupyter.sessions.registry import Registry
    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.settings.prices import Price

__all__ = ["Budget", "Spending", "budgets", "day_costs", "price_in"]

WHERE = "runs: %vibekit_config usage"


@dataclass(frozen=True)
class Budget:
    """What a user's runs may cost in a day or a month, and what they have cost.

    Attributes
    ----------
    period
        ``today`` or ``this month``.
    most, used
        In dollars.
    ends
        When the next one begins.
    """

    period: str
    most: float
    used: float
    ends: datetime


def budgets(
    settings: Settings, registry: Registry, user: str, now: datetime | None = None
) -> Sequence[Budget]:
    """Return the budgets that are set, with what is used of them.

    Parameters
    ----------
    now
        A moment of the day and the month that are meant.

    Raises
    ------
    ConfigurationError
        A price is none.
    RegistryError
        The registry cannot be read.
    """
    now = now or datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = today.replace(day=1)
    periods = (
        ("today", settings.budget_day, today, today + timedelta(days=1)),
        ("this month", settings.budget_month, month, (month + timedelta(days=32)).replace(day=1)),
    )
    return [
        Budget(period, most, _spent(settings, registry, user, begins, ends), ends)
        for period, most, begins, ends in periods
        if most is not None
    ]


def price_in(settings: Settings, model: str) -> Price | None:
    """Return a model's price by settings and, where those let it, by ``VIBEKIT_PRICES``."""
    environ = {} if settings.has_fixed_prices else os.environ
    return price_of(model, environ, prices=settings.prices)


def day_costs(costs: Iterable[Costs], settings: Settings) -> Sequence[DayCosts]:
    """Return what turns cost; those from before their model had a price, at today's one."""
    told = []
    for each in costs:
        price = price_in(settings, each.model) if each.unpriced.total else None
        known = [each.cost] if each.cost is not None else []
        known += [price.cost(each.unpriced)] if price is not None else []
        cost = sum(known) if known else None
        told.append(DayCosts(each.day, each.model, each.project, each.runs, each.usage, cost))
    return told


def _spent(
    settings: Settings, registry: Registry, user: str, since: datetime, until: datetime
) -> float:
    total = 0.0
    for model, known, unpriced in registry.spent(user, since, until):
        price = price_in(settings, model) if unpriced.total else None
        total += known + (price.cost(unpriced) if price else 0.0)
    return total


@dataclass
class Spending:
    """What one run has cost so far, and whether it may go on.

    Attributes
    ----------
    price
        Of its model, None where it is not known.
    usage
        What its answers took.
    keep
        Called with what the run took so far, whenever that is more.
    began
        When it began.
    """

    settings: Settings
    registry: Registry
    user: str
    price: Price | None
    usage: Usage = field(default_factory=Usage)
    answers: int = 0
    keep: Callable[[], None] = lambda: None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, settings: Settings, registry: Registry, user: str, started: RunStarted) -> Spending:
        """Return the spending of a run that begins.

        Raises
        ------
        ConfigurationError
            A price is none, or there is none under a bound that needs it.
        """
        price = price_in(settings, started.model)
        bounds = {
            "max_cost": settings.max_cost,
            "a budget for the day": settings.budget_day,
            "a budget for the month": settings.budget_month,
        }
        bound = next((name for name, most in bounds.items() if most is not None), None)
        if price is None and bound is not None and not started.demo:
            raise no_price(started.model, bound, is_fixed=settings.has_fixed_prices)
        return cls(settings, registry, user, price)

    @property
    def cost(self) -> float | None:
        """What the run has cost so far, in dollars, where that is known."""
        return None if self.price is None else self.price.cost(self.usage)

    def after(self, usage: Usage) -> None:
        """Take down what an answer took."""
        self.usage += usage
        self.answers += 1
        self.keep()

    def before(self, tokens: int) -> None:
        """Raise ``RunLimitError`` where another call would go over a bound.

        Parameters
        ----------
        tokens
            How many go into it, as far as that is known.
        """
        if self.price is None or self._is_free:
            return
        coming = self.price.cost(Usage(tokens))
        most = self.settings.max_cost
        # A run belongs to the day that it began on, as its turn does: else it would be nobody's
        # after midnight.
        planned = budgets(self.settings, self.registry, self.user, self.began)
        if (most is not None or planned) and self._is_uncounted:
            raise RunLimitError(
                "The run stopped: the model service does not say how many tokens an answer took, "
                "so that its cost is not known.",
                hint="Leave --max-cost out, or ask your administrator.",
            )
        spent = self.price.cost(self.usage)
        if most is not None and (spent >= most or spent + coming > most):
            raise self._bound(most, spent, coming)
        for budget in planned:
            if budget.used >= budget.most or budget.used + coming > budget.most:
                raise _used(budget, coming)

    @property
    def _is_free(self) -> bool:
        return self.price is not None and self.price.cost(Usage(2, 1, 1)) == 0

    @property
    def _is_uncounted(self) -> bool:
        return self.answers > 0 and self.usage.total == 0

    def _bound(self, most: float, spent: float, coming: float) -> RunLimitError:
        over = "" if spent >= most else f"; the next call's input may cost {dollars(coming)}"
        return RunLimitError(
            f"The run stopped at its bound of {dollars(most)} ({dollars(spent)} spent{over}).",
            hint="Ask it to go on."
            if self.answers
            else "Give it more with --max-cost, or leave out what was said with --fresh.",
        )


def _used(budget: Budget, coming: float) -> RunLimitError:
    if budget.period == "today":
        again = "at 00:00 UTC"
    else:
        again = f"on {budget.ends.day} {budget.ends:%B} at 00:00 UTC"
    used = f"{dollars(budget.used)}; {WHERE}"
    if budget.used >= budget.most:
        sentence = f"is used ({used})"
    else:
        sentence = (
            f"does not pay for the next call, whose input may cost {dollars(coming)} ({used})"
        )
    return RunLimitError(
        f"Your budget of {dollars(budget.most)} for {budget.period} {sentence}.",
        hint=f"It opens again {again}.",
    )
