"""What runs took and cost, as a table: by day, model and project, below what is left of budgets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.cards import aligned
from vibekit_jupyter.notebook.render.rendered import Rendered
from vibekit_jupyter.notebook.render.text import escape, visible
from vibekit_jupyter.notebook.render.words import count, dollars, left, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from vibekit_jupyter.results import DayCosts
    from vibekit_jupyter.runs.spending import Budget

__all__ = ["usage_card"]

MOST_ROWS: Final = 100
HEAD: Final = ("day", "model", "project", "runs", "tokens", "cost")
NUMBERS: Final = 3  # columns at the right that are numbers
NO_PRICE: Final = "—: the model's price is not known ([prices] in vibekit.toml, VIBEKIT_PRICES)"
RIGHT: Final = f"{style.TABLE_CELL};text-align:right;white-space:nowrap"


def usage_card(
    costs: Sequence[DayCosts],
    budgets: Sequence[Budget] = (),
    *,
    days: int = 30,
    now: datetime | None = None,
) -> Rendered:
    """Return what runs took and cost.

    Parameters
    ----------
    costs
        By day, the last one last.
    budgets
        With what is used of them.
    days
        How many days these are.
    """
    now = now or datetime.now(UTC)
    told = [_budget(budget, now) for budget in budgets]
    shown = costs[-MOST_ROWS:]
    notes = [_total(costs, days)]
    if len(shown) < len(costs):
        notes.append(f"the last {len(shown)} of {len(costs):,} rows")
    if any(each.cost is None for each in shown):
        notes.append(NO_PRICE)
    rows = [_cells(each, now.date()) for each in shown]
    plain = [f"{words} · {aside}" for words, aside, _, _ in told]
    if rows:
        plain.append(_plain(rows))
    html = "".join(map(_budget_html, told)) + (_table(shown, rows) if rows else "")
    html += "".join(f'<div style="{style.QUIET}">{escape(note)}</div>' for note in notes)
    return Rendered(visible("\n".join([*plain, *notes])), f'<div style="{style.SANS}">{html}</div>')


def _budget(budget: Budget, now: datetime) -> tuple[str, str, float, str]:
    """Return a budget in words, how much of it is used in words and as a share, and its colour."""
    share = budget.used / budget.most
    words = f"{dollars(budget.used)} of {dollars(budget.most)} {budget.period}"
    color = style.BAD if share >= 1 else style.WARN if share >= 0.8 else style.ACCENT
    rest = budget.ends - now
    time = plural(rest.days, "day") if rest.days else left(rest)
    return words, f"{100 * share:.0f} % · {time} left", share, color


def _budget_html(told: tuple[str, str, float, str]) -> str:
    words, aside, share, color = told
    used, _, rest = words.partition(" ")
    return (
        f'<div style="max-width:36em;margin:2px 0 8px"><div style="display:flex;gap:8px">'
        f'<span style="flex:1"><b style="font-weight:600">{escape(used)}</b> {escape(rest)}</span>'
        f'<span style="{style.words(color)}">{escape(aside)}</span></div>'
        f"{_bar(share, color, '100%')}</div>"
    )


def _cells(each: DayCosts, today: date) -> tuple[str, ...]:
    if each.day == today:
        day = "today"
    else:
        year = "" if each.day.year == today.year else f" {each.day.year}"
        day = f"{each.day:%a} {each.day.day} {each.day:%b}{year}"
    cost = "—" if each.cost is None else dollars(each.cost)
    tokens = count(each.usage.total)
    return (day, each.model, each.project or "—", f"{each.runs:,}", tokens, cost)


def _plain(rows: Sequence[tuple[str, ...]]) -> str:
    """Return the rows as aligned text, numbers at the right."""
    table = [HEAD, *rows]
    first = len(HEAD) - NUMBERS
    widths = [max(len(row[column]) for row in table) for column in range(first, len(HEAD))]
    return aligned(
        [
            (
                *row[:first],
                *(cell.rjust(width) for cell, width in zip(row[first:], widths, strict=True)),
            )
            for row in table
        ]
    )


def _table(costs: Sequence[DayCosts], rows: Sequence[tuple[str, ...]]) -> str:
    weights = [each.usage.total if each.cost is None else each.cost for each in costs]
    if any(each.cost is None for each in costs):
        weights = [each.usage.total for each in costs]
    most = max(weights) or 1
    first = len(HEAD) - NUMBERS
    titles = [
        _cell("th", title, f"{RIGHT if number >= first else style.TABLE_CELL};{style.DIM}")
        for number, title in enumerate(HEAD)
    ]
    titles.insert(first, f'<td style="{style.TABLE_CELL}"></td>')
    body, before = "", ""
    for row, weight in zip(rows, weights, strict=True):
        words = (row[0] if row[0] != before else "", *row[1:first])
        before = row[0]
        cells = [_cell("td", word, style.TABLE_CELL) for word in words]
        bar = _bar(weight / most, style.ACCENT, "6em")
        cells.append(f'<td style="{style.TABLE_CELL};vertical-align:middle">{bar}</td>')
        cells += [_cell("td", word, RIGHT) for word in row[first:]]
        body += _row("".join(cells))
    return (
        f'<div tabindex="0" style="overflow-x:auto;max-width:100%">'
        f'<table style="{style.TABLE};width:auto"><thead>{_row("".join(titles))}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(cells: str) -> str:
    return f'<tr style="background-color:transparent">{cells}</tr>'


def _cell(tag: str, text: str, css: str) -> str:
    return f'<{tag} style="{css}">{escape(text)}</{tag}>'


def _bar(share: float, color: str, width: str) -> str:
    """Return a bar that is filled so far; what is told by it is told in words beside it."""
    filled = f"height:4px;width:{100 * min(share, 1):.0f}%;background-color:{color}"
    return (
        f'<div style="width:{width};height:4px;background-color:{style.NEUTRAL};border-radius:2px">'
        f'<div style="{filled};border-radius:2px"></div></div>'
    )


def _total(costs: Sequence[DayCosts], days: int) -> str:
    period = "today" if days == 1 else f"in {days} days"
    if not costs:
        return f"No run {period}."
    known = [each.cost for each in costs if each.cost is not None]
    runs = plural(sum(each.runs for each in costs), "run")
    tokens = count(sum(each.usage.total for each in costs))
    cost = f" · {dollars(sum(known))}" if known else ""
    return f"{runs} {period} · {tokens} tokens{cost}"
