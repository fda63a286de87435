"""A traceback in words for a model."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from vibekit_jupyter.notebook.context.tracebacks import MOST_LINES, traceback_text

CELL = "/somewhere/ipykernel_42/123456.py"


def raised(source: str, filename: str = CELL, **names: Any) -> Exception:
    try:
        exec(compile(source, filename, "exec"), names)  # noqa: S102  (as a cell is run)
    except Exception as error:  # noqa: BLE001  (it is what is asked for)
        return error
    raise AssertionError("nothing was raised")


def test_only_the_persons_frames_are_told_and_where_it_was_raised() -> None:
    text = traceback_text(raised("import json\n\ndef f():\n    json.loads('{')\nf()"))
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "the cell", line 5, in <module>'
    assert '  File "the cell", line 4, in f' in lines
    assert "  [2 frames of libraries]" in lines
    assert 'File "decoder.py"' in text
    assert lines[-1].startswith("json.decoder.JSONDecodeError: Expecting")
    assert "test_tracebacks" not in text


def test_another_cell_is_told_apart_without_a_number() -> None:
    names: dict[str, Any] = {}
    exec(compile("def g(): 1/0", "/somewhere/ipykernel_42/7.py", "exec"), names)  # noqa: S102
    text = traceback_text(raised("g()", g=names["g"]))
    assert '"the cell", line 1, in <module>' in text
    assert '"another cell", line 1, in g' in text
    assert "ipykernel" not in text


def test_a_syntax_error_names_the_cell() -> None:
    text = traceback_text(raised("1 +", "<ipython-input-3-abc>"))
    assert 'File "the cell", line 1' in text
    assert "SyntaxError" in text


def test_a_deep_or_wordy_error_has_at_most_sixty_lines() -> None:
    deep = traceback_text(raised("def f(n): return f(n + 1) + 1\nf(0)"))
    assert "lines left out" in deep
    assert "RecursionError" in deep
    wordy = traceback_text(raised(f"raise ValueError('x' * 10_000 + {chr(10).join('ab')!r} * 500)"))
    for text in (deep, wordy):
        assert len(text.splitlines()) <= MOST_LINES
        assert max(map(len, text.splitlines())) <= 400


def test_causes_come_first() -> None:
    text = traceback_text(
        raised("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e")
    )
    assert (
        text.index("ZeroDivisionError") < text.index("direct cause") < text.index("KeyError: 'x'")
    )


def test_an_error_that_cannot_speak_is_told_all_the_same() -> None:
    class Mute(Exception):  # noqa: N818  (it is none)
        def __str__(self) -> NoReturn:
            raise ValueError

    assert "Mute" in traceback_text(raised("raise Mute()", Mute=Mute))
    group = raised("raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])")
    assert "ValueError: a" in traceback_text(group)
    assert json.dumps(traceback_text(group))
