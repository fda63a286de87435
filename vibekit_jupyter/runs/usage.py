"""What a user's runs took and cost, as the registry remembers it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vibekit_jupyter.errors import ConfigurationError, VibeKitError
from vibekit_jupyter.runs.spending import budgets, day_costs
from vibekit_jupyter.settings.described import source_of
from vibekit_jupyter.settings.prices import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.results import DayCosts
    from vibekit_jupyter.runs.spending import Budget
    from vibekit_jupyter.sessions.workspace import Workspace

__all__ = ["UsageRecords"]

MOST_DAYS = 36_500


class UsageRecords:
    """Look up what was spent."""

    _workspace: Workspace

    def usage(self, days: int = 30) -> Sequence[DayCosts]:
        """Return what one's runs took, by day (UTC), model and project. No request is sent.

        Parameters
        ----------
        days
            How many, today among them.

        Raises
        ------
        ConfigurationError
            ``days`` is no number of days, or a price is none.
        """
        if type(days) is not int or not 1 <= days <= MOST_DAYS:
            raise ConfigurationError(
                f"days is {str(days)[:40]}.", hint="It is a whole number of 1 and more."
            )
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        book = self._workspace.book
        costs = book.registry.costs(book.user, today - timedelta(days=days - 1))
        return day_costs(costs, self._workspace.settings)

    def budgets(self) -> Sequence[Budget]:
        """Return the budgets that are set, with what is used of them. No request is sent."""
        book = self._workspace.book
        return budgets(self._workspace.settings, book.registry, book.user)

    def _budget_rows(self) -> Sequence[tuple[str, str, str]]:
        try:
            settings, known = self._workspace.settings, self.budgets()
        except VibeKitError as error:
            return [("budget", "not known", str(error))]
        return [
            (
                "budget",
                f"{dollars(each.used)} of {dollars(each.most)} {each.period}",
                source_of(settings, "budget.day" if each.period == "today" else "budget.month"),
            )
            for each in known
        ]
