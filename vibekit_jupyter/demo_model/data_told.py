"""What a request tells of the variables that came with its prompts, and of those asked for."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Column", "Table", "table_of", "variables", "wanted"]

Kind = Literal["number", "text", "date", "other"]

_VARIABLE = re.compile(
    r"^(?P<name>\w+): (?P<kind>[^,]+), .*, file (?P<path>\S+?)(?:; read it with (?P<reading>.+))?$"
)
_NUMBER = r"(?:uint|UInt|int|Int|float|Float)\d+|double|Decimal\S*"
_TEXT = (
    r"str|(?:large_)?string\S*|String|object|category|Categorical\S*|Enum\S*|dictionary<.*>"
    r"|bool|boolean|Boolean"
)
_DATE = r"datetime64\[[^\]]*\]|Date|date32\S*|Datetime(?:\([^)]*\))?|timestamp\[[^\]]*\]"
_COLUMN = re.compile(
    rf"^- (?P<index>index: )?(?P<label>.+?) (?:(?P<number>{_NUMBER})|(?P<text>{_TEXT})"
    rf"|(?P<date>{_DATE}))(?P<rest>(?:, \d+% missing)?(?:: .*)?)$"
)
_WANTED = re.compile(r"^The person takes what you leave in (?P<paths>.+), each as one file")
_TABLES = ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table")


@dataclass(frozen=True)
class Column:
    """A column of a table, or its index; ``is_few`` where it has a few values alone."""

    label: str
    kind: Kind
    is_few: bool = False
    is_index: bool = False


@dataclass(frozen=True)
class Table:
    """A table that is a file in the sandbox.

    Attributes
    ----------
    reading
        How a program there reads it, as it was told.
    """

    name: str
    path: str
    reading: str
    columns: tuple[Column, ...]

    def column(self, label: str) -> Column | None:
        """Return the column of this name."""
        return next((each for each in self.columns if each.label == label), None)


def variables(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the names and kinds of the variables that are told of."""
    for text in texts:
        for line in text.splitlines():
            if told := _VARIABLE.match(line):
                yield told["name"], told["kind"]


def table_of(texts: Sequence[str], prompt: str) -> Table | None:
    """Return the table that a prompt means: one that it names, else the first told of.

    Parameters
    ----------
    texts
        What was told, the newest first.
    """
    tables = [table for text in texts for table in _tables(text)]
    named = (table for table in tables if re.search(rf"\b{table.name}\b", prompt))
    return next(named, tables[0] if tables else None)


def wanted(texts: Sequence[str]) -> list[str]:
    """Return the names of the variables that are asked for."""
    lines = [line for text in texts for line in text.splitlines()]
    told = next(filter(None, map(_WANTED.match, lines)), None)
    return [path.rpartition("/")[2] for path in told["paths"].split(", ")] if told else []


def _tables(text: str) -> Iterator[Table]:
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if _VARIABLE.match(line)]
    for at, end in itertools.pairwise([*heads, len(lines)]):
        told = _VARIABLE.match(lines[at])
        if told and told["kind"] in _TABLES:
            found = map(_COLUMN.match, lines[at + 1 : end])
            columns = tuple(_column(each) for each in found if each)
            yield Table(told["name"], told["path"], told["reading"] or "", columns)


def _column(told: re.Match[str]) -> Column:
    kind: Kind = "number" if told["number"] else "date" if told["date"] else "text"
    is_index = told["index"] is not None
    label = "index" if is_index and told["label"] == "(no name)" else told["label"]
    return Column(label, kind, is_few=" values: " in told["rest"], is_index=is_index)
