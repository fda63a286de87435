"""Load a table, plot revenue per month, save the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vibekit_jupyter.demo_model.scripts.script import Script, read, report, run, write

if TYPE_CHECKING:
    import re

    from vibekit_jupyter.demo_model.replay import Plan, Turn

__all__ = ["SCRIPTS"]

PLOTTER = "plot_revenue.py"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_NORTH = (120, 135, 150, 144, 170, 182, 175, 160, 190, 205, 230, 260)
_SOUTH = (80, 82, 95, 110, 108, 120, 140, 138, 125, 130, 150, 171)
SALES = "month,region,revenue\n" + "".join(
    f"{month},north,{north}\n{month},south,{south}\n"
    for month, north, south in zip(_MONTHS, _NORTH, _SOUTH, strict=True)
)
PROGRAM = '''"""Plot the revenue per month of a table as a bar chart."""

import csv
import struct
import zlib

TABLE, CHART = {table!r}, {chart!r}


def revenue_per_month():
    totals = {{}}
    with open(TABLE, newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            totals[row["month"]] = totals.get(row["month"], 0) + float(row["revenue"])
    return totals


def plot(totals):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.bar(list(totals), list(totals.values()))
    plt.title("Revenue per month")
    plt.savefig(CHART)


def draw_bars(totals, width=40, gap=12, height=300):
    """Draw plain bars as a PNG, where matplotlib is not installed."""
    white, blue = b"\\xff\\xff\\xff", b"\\x2a\\x6f\\xbb"
    highest = max([*totals.values(), 1])
    tops = [height * value / highest for value in totals.values()]
    rows = []
    for left in range(height, 0, -1):
        bars = ((blue if top >= left else white) * width for top in tops)
        rows.append(b"\\0" + b"".join(white * gap + bar for bar in bars))

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    size = struct.pack(">IIBBBBB", len(tops) * (gap + width), height, 8, 2, 0, 0, 0)
    with open(CHART, "wb") as file:
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", size))
        file.write(chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))


totals = revenue_per_month()
try:
    plot(totals)
    how = "with matplotlib"
except ImportError:
    draw_bars(totals)
    how = "as plain bars, as matplotlib is not installed"
for month, total in totals.items():
    print(f"{{month:>8}} {{total:10.0f}}")
print(f"{{CHART}} was drawn {{how}}.")
'''


def plot_revenue(_turn: Turn, match: re.Match[str]) -> Plan:
    """Plot the table; where there is none, make one up and say so."""
    table, chart = match["table"], match["chart"]
    found = yield from read(table, f"I load {table} and plot its revenue per month.")
    did = ""
    if found.missing:
        written = yield from write(table, SALES)
        if not written.ok:
            return f"I could not write {table}: {written.text}"
        did = f"There was no {table}, so I made up a small one. "
    elif not found.ok:
        return f"I could not read {table}: {found.text}"
    written = yield from write(PLOTTER, PROGRAM.format(table=table, chart=chart))
    if not written.ok:
        return f"I could not write {PLOTTER}: {written.text}"
    command = f"python3 {PLOTTER}"
    plotted = yield from run(command)
    saved = f"The chart is in {chart}. " if plotted.ok else ""
    return f"{did}{saved}{report(command, plotted)}"


SCRIPTS = (
    Script(
        r"(?:load|read|open) `?(?P<table>[\w/][\w./-]*\.csv)`?,?(?: and)? plot (?:the )?revenue "
        r"(?:per|by) month,? (?:and )?save (?:it|(?:the )?(?:chart|plot|figure)) (?:as|to|in) "
        r"`?(?P<chart>[\w/][\w./-]*\.png)`?",
        plot_revenue,
        "Load sales.csv, plot revenue per month and save the chart as revenue.png",
    ),
)
