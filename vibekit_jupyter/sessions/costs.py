"""What a user's turns took and cost, by day, model and project."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from vibekit_jupyter.results import Usage
from vibekit_jupyter.sessions.database import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["CostRecords", "Costs"]

# A copy of a turn began when the turn did, and is no second one: the first row of both is it.
# Until their cost was recorded, turns were their session's user's.
TURNS = """
    SELECT min(turn.id), turn.started, turn.model, turn.cost, session.project,
        json_extract(turn.usage, '$.input') AS input,
        json_extract(turn.usage, '$.cached') AS cached,
        json_extract(turn.usage, '$.output') AS output
    FROM turn LEFT JOIN session ON session.service = turn.service AND session.id = turn.session
    WHERE turn.started >= :since AND turn.started < :until
        AND iif(turn.user = '', session.user, turn.user) = :user
"""
GROUPED = " GROUP BY turn.started, turn.model"
FREE = """
    total(iif(cost IS NULL, input, 0)) AS free_input,
    total(iif(cost IS NULL, cached, 0)) AS free_cached,
    total(iif(cost IS NULL, output, 0)) AS free_output
"""
SUMS = f"""
    SELECT date(started, 'unixepoch') AS day, model, coalesce(project, '') AS project,
        count(*) AS runs, total(input) AS input, total(cached) AS cached,
        total(output) AS output, sum(cost) AS cost, {FREE}
    FROM ({TURNS} {GROUPED}) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - our own words
# Asked before each call of a model, so that the turns with a cost are read in their index alone.
SPENT = f"""
    SELECT model, sum(cost) AS cost, 0 AS free_input, 0 AS free_cached, 0 AS free_output
    FROM (SELECT min(id), model, cost FROM turn
        WHERE started >= :since AND started < :until AND user = :user AND cost IS NOT NULL
        GROUP BY started, model)
    GROUP BY model
    UNION ALL
    SELECT model, 0, {FREE} FROM ({TURNS} AND turn.cost IS NULL {GROUPED}) GROUP BY model
"""  # noqa: S608 - our own words


@dataclass(frozen=True)
class Costs:
    """The turns of one day (UTC), with one model, in one project.

    Attributes
    ----------
    runs
        How many.
    usage
        What they took.
    cost
        What those cost whose model had a price then, in dollars; None where none had.
    unpriced
        What the others took.
    """

    day: date
    model: str
    project: str
    runs: int
    usage: Usage
    cost: float | None
    unpriced: Usage


class CostRecords(Database):
    """The turns of the registry as sums. Looking never makes the file."""

    def costs(self, user: str, since: datetime) -> Sequence[Costs]:
        """Return what a user's turns cost that began at or after a moment."""
        return [
            Costs(
                date.fromisoformat(row["day"]),
                row["model"],
                row["project"],
                row["runs"],
                Usage(int(row["input"]), int(row["cached"]), int(row["output"])),
                row["cost"],
                _unpriced(row),
            )
            for row in self._summed(SUMS, user, since)
        ]

    def spent(
        self, user: str, since: datetime, until: datetime | None = None
    ) -> Sequence[tuple[str, float, Usage]]:
        """Return the same by model, once or twice: what is known to be spent, what had no price."""
        rows = self._summed(SPENT, user, since, until)
        return [(row["model"], row["cost"] or 0.0, _unpriced(row)) for row in rows]

    def _summed(
        self, query: str, user: str, since: datetime, until: datetime | None = None
    ) -> Sequence[sqlite3.Row]:
        with self.errors():
            if not self.path.exists():
                return ()
        with self.reading() as database:
            end = math.inf if until is None else until.timestamp()
            asked = {"since": since.timestamp(), "until": end, "user": user}
            return database.execute(query, asked).fetchall()


def _unpriced(row: sqlite3.Row) -> Usage:
    return Usage(int(row["free_input"]), int(row["free_cached"]), int(row["free_output"]))
