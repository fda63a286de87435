"""A chart and a summary of a table that came with the prompt (``%%vibekit -i df -o summary``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from vibekit_jupyter.demo_model.data_told import Column, Table, table_of, variables, wanted
from vibekit_jupyter.demo_model.scripts import bars
from vibekit_jupyter.demo_model.scripts.data_programs import COUNT, LENGTHS, OUT, Task, program
from vibekit_jupyter.demo_model.scripts.script import Script, report, run, write
from vibekit_jupyter.demo_model.scripts.talk import REAL_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vibekit_jupyter.demo_model.replay import Outcome, Plan, Turn

__all__ = ["SCRIPTS"]

PROGRAM = "summarize.py"
BARS = "bars.py"
COMMAND = f"python3 {PROGRAM}"

_CHART = r"(?:charts?|plot(?:s|ted)?|graphs?|diagrams?|figures?|draw|bars?|pictures?|visuali[sz]e)"
_TABLE = r"(?:summar(?:y|ies|i[sz]e)|totals?|sums?|averages?|means?|group(?:ed)?|counts?)"
_PER = r"(?:per|by|for (?:each|every)|each|every|of each|over|across|against)(?: the)?"
_HOW = {
    "mean": r"averages?|means?",
    COUNT: r"how many|counts?|number of",
    "max": r"max(?:imum)?|highest|largest",
    "min": r"min(?:imum)?|lowest|smallest",
}
_PERIODS = {"month": "month(?:s|ly)?", "year": "years?|yearly", "day": "days?|daily"}
_DATES = re.compile(r"date|time|day\b|when", re.IGNORECASE)
_NO_MODULE = re.compile(r"No module named '(?P<name>\w+)'")
_NOT_FOUND = "127"


def sum_up(turn: Turn, _match: re.Match[str]) -> Plan:
    """Group a table, draw it, and leave what is asked for."""
    table = table_of(turn.told, turn.prompt)
    task = _task(turn, table) if table else None
    if task is None:
        return _without_table(turn, table)
    for path, text, words in _programs(task):
        written = yield from write(path, text, words)
        if not written.ok:
            return f"I could not write {path}: {written.text}"
    return _came_to(task, (yield from run(COMMAND)))


def _programs(task: Task) -> Iterator[tuple[str, str, str]]:
    """Yield the files that are written, and what is said before each."""
    words = f"I work out the {task.words}{', and draw it' if task.chart else ''}."
    if task.table.path.endswith(".csv"):
        words = f"This sandbox has no pandas, so {task.table.name} is text here. {words}"
    yield PROGRAM, program(task), words
    if task.chart:
        yield BARS, bars.PROGRAM, ""


def _came_to(task: Task, ran: Outcome) -> str:
    if not ran.ok:
        if missing := _NO_MODULE.search(ran.text):
            return f"I could not read {task.table.path}: this sandbox has no {missing['name']}."
        if _NOT_FOUND in ran.ending:
            return "This sandbox has no python3, so that I could do nothing with the table."
        return report(COMMAND, ran)
    left = [f"the chart in {task.chart}"] * bool(task.chart)
    left += [f"the {task.words} in {task.path}"] * bool(task.path)
    return f"I left {' and '.join(left)}." if left else f"The {task.words} stands above."


def _without_table(turn: Turn, table: Table | None) -> str:
    if table is not None:
        return f"I was told of no columns of {table.name}, so that I have nothing to group it by."
    other = next((f" `{name}` is {kind}." for name, kind in variables(turn.told)), "")
    return (
        f"I draw and sum up tables, and was given none.{other} `%%vibekit -i df -o summary` gives "
        f"me your frame `df`. Anything else I do not understand. {REAL_MODEL}"
    )


def _task(turn: Turn, table: Table) -> Task | None:
    """Return what a prompt asks for; what it leaves open is the likeliest."""
    prompt, outputs = turn.prompt, wanted(turn.told_now)
    if not table.columns:
        return None
    period = next((name for name, words in _PERIODS.items() if _has(prompt, words)), "")
    by = _by(prompt, table, period)
    if by.label == period or by.kind == "number" or not _is_date(by):
        period = ""
    value = _value(prompt, table, by)
    how = next((name for name, words in _HOW.items() if _has(prompt, words)), "sum")
    if how == COUNT or value is None:
        value, how = None, COUNT
    charts = [name for name in outputs if re.fullmatch(rf".*{_CHART}.*|fig|img", name)]
    tables = [name for name in outputs if name not in charts]
    leave: Literal["out", "home", ""] = "out" if tables else ""
    if not tables and _has(prompt, "summar(?:y|ies)|table") and not charts:
        leave = "home"
    chart = f"{OUT}/{charts[0]}.png" if charts else "chart.png" if _has(prompt, _CHART) else ""
    return Task(
        table=table,
        by=by.label,
        value=value.label if value else "",
        how=how,
        period=period,
        name=tables[0] if tables else "summary",
        leave=leave,
        chart=chart,
    )


def _has(prompt: str, words: str) -> bool:
    return bool(re.search(rf"\b(?:{words})\b", prompt, re.IGNORECASE))


def _is_date(column: Column) -> bool:
    return column.kind == "date" or bool(_DATES.search(column.label))


def _said(label: str) -> str:
    """Return how a prompt may say a column's name: with spaces, in the plural, in quotes."""
    words = r"[\s_]+".join(map(re.escape, re.split(r"[\s_]+", label)))
    return rf"[`'\"]?{words}s?[`'\"]?"


def _by(prompt: str, table: Table, period: str) -> Column:
    for column in table.columns:
        if re.search(rf"\b{_PER}\s+{_said(column.label)}(?!\w)", prompt, re.IGNORECASE):
            return column
    columns = table.columns
    dates = [each for each in columns if _is_date(each)] if period in LENGTHS else []
    few = [each for each in columns if each.kind == "text" and each.is_few]
    text = sorted((each for each in columns if each.kind == "text"), key=lambda each: each.is_index)
    return [*dates, *few, *text, *(each for each in columns if _is_date(each)), *columns][0]


def _value(prompt: str, table: Table, by: Column) -> Column | None:
    numbers = [each for each in table.columns if each.kind == "number" and each != by]
    for column in numbers:
        if re.search(rf"(?<!\w){_said(column.label)}(?!\w)", prompt, re.IGNORECASE):
            return column
    plain = [each for each in numbers if not re.search(r"(?:^|_)id$|^index$|year", each.label)]
    return [*plain, *numbers, None][0]


SCRIPTS = (
    Script(
        rf".*\b(?:{_CHART}|{_TABLE})\b.*",
        sum_up,
        "Draw a chart of revenue per month, and leave the sums as summary",
    ),
)
