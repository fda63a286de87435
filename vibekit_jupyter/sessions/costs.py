"""What a user's turns took and cost, by day, model and project."""

from __future__ import annotations

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
    SELECT min(turn.id), turn.started, turn.model, turn.cost,
        coalesce(session.project, '') AS project,
        json_extract(turn.usage, '$.input') AS input,
        json_extract(turn.usage, '$.cached') AS cached,
        json_extract(turn.usage, '$.output') AS output
    FROM turn LEFT JOIN session ON session.service = turn.service AND session.id = turn.session
    WHERE turn.started >= ? AND iif(turn.user = '', session.user, turn.user) = ?
    GROUP BY turn.started, turn.model
"""
SUMS = f"""
    SELECT date(started, 'unixepoch') AS day, model, project, count(*) AS runs,
        total(input) AS input, total(cached) AS cached, total(output) AS output,
        sum(cost) AS cost,
        total(iif(cost IS NULL, input, 0)) AS free_input,
        total(iif(cost IS NULL, cached, 0)) AS free_cached,
        total(iif(cost IS NULL, output, 0)) AS free_output
    FROM ({TURNS}) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
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
    """The turns of the registry as sums."""

    def costs(self, user: str, since: datetime) -> Sequence[Costs]:
        """Return what a user's turns cost that began at or after a moment. Never makes the file."""
        with self.errors():
            if not self.path.exists():
                return ()
        with self.reading() as database:
            rows = database.execute(SUMS, (since.timestamp(), user)).fetchall()
        return [_costs(row) for row in rows]


def _costs(row: sqlite3.Row) -> Costs:
    return Costs(
        date.fromisoformat(row["day"]),
        row["model"],
        row["project"],
        row["runs"],
        Usage(int(row["input"]), int(row["cached"]), int(row["output"])),
        row["cost"],
        Usage(int(row["free_input"]), int(row["free_cached"]), int(row["free_output"])),
    )
