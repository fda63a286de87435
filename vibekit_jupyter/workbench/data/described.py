"""A table in few words for the agent: a line a column, never its rows.

What stands in a value is data: it is escaped, cut, and left out where the person wants that.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MOST_TOKENS", "bounded_lines", "estimated_tokens", "pandas_lines", "polars_lines"]

MOST_TOKENS: Final = 400
MOST_COLUMNS: Final = 12
LAST: Final = 4
SAMPLE: Final = 100_000  # rows that values are looked at in
MOST_VALUE: Final = 24
MOST_LABEL: Final = 40
MOST_VALUES: Final = 5


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many."""
    other = sum(not char.isascii() for char in text)
    return (len(text) - other) // 3 + 2 * other


def bounded_lines(lines: Sequence[str], most: int = MOST_TOKENS) -> list[str]:
    """Return as many lines as there is room for, and how many are left out."""
    kept: list[str] = []
    for at, line in enumerate(lines):
        if sum(map(estimated_tokens, [*kept, line])) + 2 * at > most - 20:
            return [*kept, f"… {len(lines) - at:,} more lines"]
        kept.append(line)
    return kept


def shown(value: object, most: int = MOST_VALUE) -> str:
    """Return a value of a plain type in a few characters that bring no new line."""
    text = _cut(value if type(value) is str else str(value) if _is_plain(value) else "…", most)
    return f"'{text}'" if type(value) is str else text


def _is_plain(value: object) -> bool:
    return type(value) in (int, float, bool) or type(value).__module__.split(".")[0] in (
        *("numpy", "pandas", "datetime", "decimal", "uuid"),
    )


def label_text(label: object) -> str:
    """Return a label without the quotes that a value has."""
    return _cut(label if type(label) is str else str(label), MOST_LABEL)


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text, what is not printable escaped."""
    text = "".join(char if char.isprintable() else "\\" + hex(ord(char))[1:] for char in text[:200])
    return text if len(text) <= most else text[: most - 1] + "…"


def table_lines(
    names: Sequence[Any], types: Sequence[str], line: Callable[[int], str]
) -> Iterator[str]:
    """Yield the first and the last columns, and what there is between them."""
    count = len(names)
    first = count if count <= MOST_COLUMNS else MOST_COLUMNS - LAST
    for at in range(first):
        yield line(at)
    if count <= MOST_COLUMNS:
        return
    between = Counter(types[first : count - LAST]).most_common(4)
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in between)
    yield f"… {count - MOST_COLUMNS:,} more columns: {kinds}"
    for at in range(count - LAST, count):
        yield line(at)


def pandas_lines(frame: Any, with_values: bool) -> list[str]:  # noqa: FBT001  (one switch)
    """Return the lines of a pandas frame."""
    types = [str(dtype)[:MOST_LABEL] for dtype in frame.dtypes]
    step = max(1, len(frame) // SAMPLE)

    def line(at: int) -> str:
        told = f"{label_text(frame.columns[at])} {types[at]}"
        if not with_values or not len(frame):
            return told
        values = frame.iloc[::step, at]
        missing = float(values.isna().mean())
        told += f", {missing:.0%} missing" if missing else ""
        seen = _pandas_values(values.dropna())
        return f"{told}: {seen}" if seen else told

    lines = list(table_lines(frame.columns, types, line))
    if type(frame.index).__name__ != "RangeIndex":
        names = ", ".join(
            "(no name)" if name is None else label_text(name) for name in frame.index.names
        )
        kinds = getattr(frame.index, "dtypes", None)
        kind = str(frame.index.dtype) if frame.index.nlevels == 1 else ", ".join(map(str, kinds))  # type: ignore[arg-type]
        lines.append(f"index: {names[:80]} {kind[:80]}")
    return bounded_lines(lines)


def _pandas_values(values: Any) -> str:
    kind = str(values.dtype)
    if not len(values) or kind == "bool":
        return ""
    first = values.iloc[0]
    if kind in ("object", "str", "string", "category") and type(first) is not str:
        if kind != "category":
            return type(first).__name__[:MOST_LABEL]
        first = ""
    if kind in ("object", "str", "string", "category"):
        found = list(dict.fromkeys(values.iloc[:SAMPLE].tolist()))
        few = ", ".join(shown(value) for value in found[:MOST_VALUES])
        return f"{len(found):,} values: {few}" if len(found) <= MOST_VALUES else f"e.g. {few}"
    try:
        low, high = values.min(), values.max()
    except (TypeError, ValueError):
        return ""
    return f"{_number(low)}..{_number(high)}"


def _number(value: Any) -> str:
    if type(value).__module__ == "numpy" or type(value) is float:
        return f"{float(value):.6g}"
    return shown(value)


def polars_lines(frame: Any, with_values: bool) -> list[str]:  # noqa: FBT001  (one switch)
    """Return the lines of a polars frame."""
    types = [str(kind)[:MOST_LABEL] for kind in frame.dtypes]
    sample = frame.gather_every(max(1, frame.height // SAMPLE))

    def line(at: int) -> str:
        told = f"{label_text(frame.columns[at])} {types[at]}"
        if not with_values or not frame.height:
            return told
        values = sample.to_series(at)
        missing = values.null_count() / len(values)
        told += f", {missing:.0%} missing" if missing else ""
        if types[at] == "String":
            found = list(dict.fromkeys(values.drop_nulls().to_list()))
            few = ", ".join(shown(value) for value in found[:MOST_VALUES])
            return (
                f"{told}: {len(found):,} values: {few}"
                if len(found) <= MOST_VALUES
                else f"{told}: e.g. {few}"
            )
        if frame.dtypes[at].is_numeric() or frame.dtypes[at].is_temporal():
            return f"{told}: {shown(values.min())}..{shown(values.max())}"
        return told

    return bounded_lines(list(table_lines(frame.columns, types, line)))
