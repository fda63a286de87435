"""What was spent is a table that can be read as text, too, and no name in it is HTML."""

from __future__ import annotations

from datetime import UTC, date, datetime

from vibekit_jupyter.notebook.render.usage import MOST_ROWS, usage_card
from vibekit_jupyter.results import DayCosts, Usage
from vibekit_jupyter.runs.spending import Budget

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MONTH = Budget("this month", 50.0, 41.2, datetime(2026, 12, 1, tzinfo=UTC))
DAY = Budget("today", 5.0, 5.02, datetime(2026, 11, 27, tzinfo=UTC))
COSTS = [
    DayCosts(date(2025, 12, 31), "gpt-6", "", 1, Usage(900, 0, 50), None),
    DayCosts(date(2026, 11, 25), "gpt-6", "q3", 12, Usage(80_000, 0, 8_100), 0.44),
    DayCosts(date(2026, 11, 26), "gpt-6", "q3", 2, Usage(1_000_000, 0, 200_000), 6.42),
    DayCosts(date(2026, 11, 26), "opus", "<b>web</b>", 3, Usage(600_000, 0, 40_000), 3.2),
]


def test_the_text_has_days_models_and_projects_in_columns() -> None:
    card = usage_card(COSTS, [MONTH, DAY], now=NOW)
    assert card.plain.splitlines() == [
        "$41.20 of $50.00 this month · 82 % · 4 days left",
        "$5.02 of $5.00 today · 100 % · 12 h left",
        "day              model  project     runs  tokens   cost",
        "Wed 31 Dec 2025  gpt-6  —              1     950      —",
        "Wed 25 Nov       gpt-6  q3            12  88.1 k  $0.44",
        "today            gpt-6  q3             2   1.2 M  $6.42",
        "today            opus   <b>web</b>     3   640 k  $3.20",
        "18 runs in 30 days · 1.9 M tokens · $10.06",
        "—: the model's price is not known ([prices] in vibekit.toml, VIBEKIT_PRICES)",
    ]


def test_names_are_no_html() -> None:
    html = usage_card(COSTS, now=NOW).html
    assert "<b>web</b>" not in html
    assert "&lt;b&gt;web&lt;/b&gt;" in html


def test_a_day_is_named_once() -> None:
    assert usage_card(COSTS, now=NOW).html.count("today") == 1


def test_no_run_is_said_in_a_sentence() -> None:
    assert usage_card([], days=7, now=NOW).plain == "No run in 7 days."
    assert usage_card([], [DAY], days=1, now=NOW).plain.splitlines()[1] == "No run today."


def test_very_many_rows_are_not_all_drawn() -> None:
    costs = [COSTS[1]] * (MOST_ROWS + 5)
    card = usage_card(costs, now=NOW)
    assert card.html.count("<tr") == MOST_ROWS + 1
    assert f"the last {MOST_ROWS} of {MOST_ROWS + 5} rows" in card.plain


def test_what_costs_nothing_is_drawn() -> None:
    free = DayCosts(date(2026, 11, 26), "llama", "", 1, Usage(), 0.0)
    card = usage_card([free], now=NOW)
    assert "today  llama  —           1       0  $0.00" in card.plain
    assert "width:0%" in card.html
