"""Programs that sum a table up, each for what a sandbox may have: pandas, polars, or neither."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vibekit_jupyter.demo_model.data_told import Table

__all__ = ["COUNT", "LENGTHS", "OUT", "Task", "program"]

COUNT = "count"
OUT = "out"
LENGTHS = {"month": 7, "year": 4, "day": 10}
"""How much of a date's text tells a period."""

_PLAIN = {
    "sum": "sum(values)",
    "mean": "sum(values) / len(values)",
    "max": "max(values)",
    "min": "min(values)",
    COUNT: "len(values)",
}


@dataclass(frozen=True)
class Task:
    """What is to be done with a table.

    Attributes
    ----------
    by, value, how
        What it is grouped by, and what is told of which column of each group (``sum`` and the
        like); without a column how many rows there are.
    period
        ``month``, ``year`` or ``day`` of a column of dates to group by; else empty.
    name
        What the result is called.
    leave
        Where it is left: among the outputs, in the home folder, or nowhere.
    chart
        The file that a chart is left in; empty where none is wanted.
    """

    table: Table
    by: str
    value: str
    how: str
    period: str
    name: str
    leave: Literal["out", "home", ""]
    chart: str

    @property
    def key(self) -> str:
        """The column that the result is grouped by."""
        return self.period or self.by

    @property
    def told(self) -> str:
        """The column that tells of the groups."""
        return self.value or COUNT

    @property
    def title(self) -> str:
        """What the program does."""
        return f"{self.words[0].upper()}{self.words[1:]}"

    @property
    def words(self) -> str:
        """What is worked out."""
        what = f"{self.how} of {self.value}" if self.value else "number of rows"
        return f"{what} per {self.key}"

    @property
    def path(self) -> str:
        """The file that the result is left in."""
        if self.leave != "out":
            return f"{self.name}.csv" if self.leave else ""
        kind = self.table.path.rpartition(".")[2]
        return f"{OUT}/{self.name}.{kind}"


@dataclass(frozen=True)
class _Parts:
    """A program: what it imports, how it comes to the result, and how that is left and shown."""

    modules: list[str]
    imports: list[str]
    work: list[str]
    save: list[str]
    show: list[str]
    keys: str
    values: str


def _text(text: str) -> str:
    """Return a text as it stands in a program."""
    return json.dumps(text, ensure_ascii=False)


def program(task: Task) -> str:
    """Return the program for what the sandbox has, as far as that was told."""
    if task.table.path.endswith(".csv"):
        parts = _plain(task)
    elif task.table.reading.startswith("pl."):
        parts = _polars(task)
    else:
        parts = _pandas(task)
    modules = [*parts.modules]
    own = [*parts.imports]
    work, save, draw = parts.work, parts.save if task.path else [], []
    if task.chart:
        own.append("from bars import draw_bars")
        drawn = f"{parts.keys}[:20], {parts.values}[:20]"
        draw = [f'draw_bars({drawn}, "{task.chart}", {_text(task.title)})']
    if f"{OUT}/" in f"{task.path} {task.chart}":
        modules.append("os")
        work = [*work, f'os.makedirs("{OUT}", exist_ok=True)']
    blocks = [
        [f"import {name}" for name in sorted(modules)],
        own,
        [*work, *save, *parts.show, *draw],
    ]
    return (
        "\n\n".join([f'"""{task.title}."""', *("\n".join(each) for each in blocks if each)]) + "\n"
    )


def _pandas(task: Task) -> _Parts:
    table, name = task.table, task.table.name
    modules, imports, read = list[str](), ["import pandas as pd"], "pd.read_feather"
    if table.path.endswith(".npz"):
        modules.append("sys")
        imports += ["", 'sys.path.insert(0, "data")  # npz_frames.py is there']
        imports += ["from npz_frames import read_frame, write_frame"]
        read = "read_frame"
    work = [f'{name} = {read}("{table.path}")']
    if any(each.is_index for each in table.columns):
        work.append(f"{name} = {name}.reset_index()")
    if task.by.isdecimal() or task.value.isdecimal():  # as text it cannot be told from a number
        work.append(f"{name}.columns = [str(label) for label in {name}.columns]")
    if task.period:
        text = f'pd.to_datetime({name}[{_text(task.by)}]).astype("string")'
        work.append(f"{name}[{_text(task.period)}] = {text}.str[:{LENGTHS[task.period]}]")
    grouped = f"{name}.groupby({_text(task.key)}, sort={bool(task.period)}, observed=True)"
    if task.value:
        work.append(f"{task.name} = {grouped}[{_text(task.value)}].{task.how}().reset_index()")
    else:
        work.append(f"{task.name} = {grouped}.size().reset_index(name={_text(COUNT)})")
    if task.leave == "home":
        save = f'{task.name}.to_csv("{task.path}", index=False)'
    elif read == "read_frame":
        save = f'write_frame({task.name}, "{task.path}")'
    else:
        save = f'{task.name}.to_feather("{task.path}")'
    keys, values = f"{task.name}[{_text(task.key)}]", f"{task.name}[{_text(task.told)}]"
    show = [f"print({task.name}.to_string(index=False, max_rows=20))"]
    return _Parts(modules, imports, work, [save], show, keys, values)


def _polars(task: Task) -> _Parts:
    table, name = task.table, task.table.name
    work = [f'{name} = pl.read_ipc("{table.path}")']
    if task.period:
        text = f"pl.col({_text(task.by)}).cast(pl.String).str.slice(0, {LENGTHS[task.period]})"
        work.append(f"{name} = {name}.with_columns({text}.alias({_text(task.period)}))")
    what = (
        f"pl.col({_text(task.value)}).{task.how}()"
        if task.value
        else f"pl.len().alias({_text(COUNT)})"
    )
    work.append(
        f"{task.name} = {name}.group_by({_text(task.key)}, maintain_order=True).agg({what})"
    )
    write = "write_ipc" if task.leave == "out" else "write_csv"
    save = [f'{task.name}.{write}("{task.path}")']
    keys, values = f"{task.name}[{_text(task.key)}]", f"{task.name}[{_text(task.told)}]"
    return _Parts([], ["import polars as pl"], work, save, [f"print({task.name})"], keys, values)


def _plain(task: Task) -> _Parts:
    cut = f"[:{LENGTHS[task.period]}]" if task.period else ""
    value = f"float(row[{_text(task.value)}])" if task.value else "1"
    work = [
        "groups = {}",
        f'with open("{task.table.path}", newline="", encoding="utf-8") as file:',
        "    for row in csv.DictReader(file):",
        f"        values = groups.setdefault(row[{_text(task.by)}]{cut}, [])",
        f"        if row[{_text(task.told)}]:" if task.value else "        if row:",
        f"            values.append({value})",
        f"{task.name} = {{",
        f"    key: {_PLAIN[task.how]} for key, values in groups.items() if values",
        "}",
    ]
    save = [
        f'with open("{task.path}", "w", newline="", encoding="utf-8") as file:',
        f"    rows = [({_text(task.key)}, {_text(task.told)}), *{task.name}.items()]",
        "    csv.writer(file).writerows(rows)",
    ]
    show = [
        f"for key, value in [*{task.name}.items()][:20]:",
        '    print(f"{key:>12} {value:12,.6g}")',
    ]
    return _Parts(["csv"], [], work, save, show, f"[*{task.name}]", f"[*{task.name}.values()]")
