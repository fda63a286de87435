"""``{{name}}`` in a prompt."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.notebook.arguments import Command
from vibekit_jupyter.notebook.context.put_in import PutIn
from vibekit_jupyter.notebook.magic_errors import UsageError
from vibekit_jupyter.runs.redact import Redactor

SECRET = "sk-proj-4f9a81c2d7e6b350"
NOTHING = Redactor([])


def put(text: str, redactor: Redactor = NOTHING, **names: Any) -> str:
    return PutIn(names, redactor)(text)


def refused(text: str, **names: Any) -> str:
    with pytest.raises(UsageError) as caught:
        put(text, **names)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    return str(caught.value)


class Session:
    name = "first"

    @property
    def broken(self) -> NoReturn:
        raise ExceptionGroup(SECRET, [ValueError(SECRET)])


class Touchy(str):
    """Text whose every word is somebody's code."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise AssertionError("it ran")

    __repr__ = __len__ = __format__ = __str__  # type: ignore[assignment]  # none of them may run


class Zone(dt.tzinfo):
    def utcoffset(self, when: dt.datetime | None) -> NoReturn:  # noqa: ARG002  (as Python has it)
        raise AssertionError("it ran")

    dst = tzname = utcoffset


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain {{x}} text", "plain {{x}} text"),
        ("", ""),
        (7, "7"),
        (-0.5, "-0.5"),
        (True, "True"),
        (None, "None"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, 4, tzinfo=ZoneInfo("UTC")), "2026-01-02 03:04:00+00:00"),
        (Path("data/a b.csv"), "data/a b.csv"),
        (np.float64(0.25), "0.25"),
        (np.int8(3), "3"),
    ],
)
def test_text_numbers_dates_and_paths_are_put_in_as_they_are(value: Any, text: str) -> None:
    assert put("a{{x}}b {{ x }}!", x=value) == f"a{text}b {text}!"


def test_an_attribute_is_put_in() -> None:
    assert put("{{session.name}}", session=Session()) == "first"
    assert put("{{x.y.z}}", x=type("X", (), {"y": type("Y", (), {"z": 1})})) == "1"


@given(st.text(st.sampled_from("{}x.y_ \t\n$%1é\\'\"a")))
def test_without_a_name_of_ones_own_a_prompt_stays_byte_for_byte(text: str) -> None:
    put_in = PutIn({"other": 1}, NOTHING)
    assert put_in(text) == text
    assert not list(put_in.words())
    assert Command("%x", "").parse_prompt(f"-- - {text}", {}, put_in)[1] == f"- {text}".strip()


@given(st.text())
def test_any_text_without_braces_stays(text: str) -> None:
    names: dict[str, Any] = dict.fromkeys(text.split(), "!")
    without = text.replace("{{", "{ {")
    assert PutIn(names, NOTHING)(without) == without


@pytest.mark.parametrize(
    "text",
    [
        "{x} {{x}", "{{{x}}}", "{{x}}}", "{{x|upper}}", "{{ x + 1 }}", "{{x()}}", "{{x[0]}}",
        "{{x!r}}", "{{.x}}", "{{x.}}", "{{1x}}", "{{x.1}}", "{% if x %}", r"\frac{{x}{y}}",
        "{{ x\n}}", "{{}}", "{{x y}}", "{{x.y .z}}", "{{y}}", "{{ y.x }}", "{{x:>3}}",
    ],
)  # fmt: skip
def test_no_other_form_is_touched(text: str) -> None:
    assert put(text, x=1) == text


@pytest.mark.parametrize(
    "value",
    [
        Session(), [1], {"a": 1}, (1,), b"x", 1j, Touchy("x"), OrderedDict(), lambda: 1,
        type("I", (int,), {})(3), Session, dt.timedelta(1), object(),
        dt.datetime(2026, 1, 1, tzinfo=Zone()),
        type("D", (dt.date,), {})(2026, 1, 1), np.datetime64("2026-01-01"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_nothing_else_is_put_in_and_none_of_its_code_runs(value: Any) -> None:
    said = refused("{{x}}", x=value)
    assert f"{{{{x}}}} is a {type(value).__name__}: only text, numbers and data are put in" in said


def test_what_cannot_be_read_is_told_without_the_words_of_its_error() -> None:
    assert "has no attribute 'nmae'" in refused("{{s.nmae}}", s=Session())
    said = refused("{{s.broken}}", s=Session())
    assert "'broken' raised ExceptionGroup" in said
    assert SECRET not in said


def test_a_value_is_bounded() -> None:
    assert put("{{x}}", x="y" * 4_000) == "y" * 4_000
    assert "4,000 characters" in refused("{{x}}", x="y" * 4_001)
    assert "4,000 characters" in refused("{{x}}", x=10**100_000)


def test_what_is_put_in_is_not_looked_into_again() -> None:
    assert put("{{x}}", x="{{y}} {z}", y="no") == "{{y}} {z}"
    line = Command("%x", "")
    names = {"x": "{y} $y", "y": "{{x}}"}
    _, rest = line.parse_prompt("see {{x}} and {y} or {{ x }}", names, PutIn(names, NOTHING))
    assert rest == "see {y} $y and {{x}} or {y} $y"


def test_a_secret_is_taken_out_of_a_value_and_of_what_is_said_of_it() -> None:
    put_in = PutIn({"key": SECRET, "long": "x" * 10 + SECRET}, Redactor([SECRET]))
    assert put_in("{{key}} {{long}}") == "[redacted] xxxxxxxxxx[redacted]"
    assert SECRET[:8] not in " ".join(put_in.words())


def test_what_was_put_in_is_told_in_few_words() -> None:
    names = {"n": 3, "text": "long " * 100, "empty": "", "a": np.zeros((2, 3))}
    put_in = PutIn(names, NOTHING)
    put_in("{{n}} {{ n }} {{text}} {{empty}} {{a}} {{gone}}")
    assert list(put_in.words()) == [
        "{{n}} = 3", "{{text}}, 166 tokens", "{{empty}} = nothing", "{{a}}, 9 tokens"
    ]  # fmt: skip
    assert next(put_in.words(private=True)) == "{{n}}, 0 tokens"


def test_a_value_is_looked_up_once() -> None:
    class Counter:
        count = 0

        @property
        def next(self) -> int:
            self.count += 1
            return self.count

    counter = Counter()
    assert put("{{c.next}} {{c.next}}", c=counter) == "1 1"
