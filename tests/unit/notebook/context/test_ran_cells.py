"""The cells that ran, and what they showed, in a shell without a kernel."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import needs_local_scope, no_var_expand

from vibekit_jupyter.notebook.context.failure import last_failure, names_text
from vibekit_jupyter.notebook.context.names import own_names
from vibekit_jupyter.notebook.context.question import about_failure, asked_verb, question
from vibekit_jupyter.notebook.context.ran import MOST, MOST_SHOWN, Ran
from vibekit_jupyter.notebook.context.ran_cells import KEPT, RanCells
from vibekit_jupyter.notebook.context.recent import context_of, how_many
from vibekit_jupyter.notebook.magic_errors import UsageError
from vibekit_jupyter.runs.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sk-proj-4f9a81c2d7e6b350"
NOTHING = Redactor([])


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.delattr(sys, "last_value", raising=False)
    shell = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython's own
    yield shell
    assert shell.history_manager is not None
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def cells(shell: InteractiveShell) -> Iterator[RanCells]:
    cells = RanCells(shell)
    cells.install()
    yield cells
    cells.remove()


def run(shell: InteractiveShell, *sources: str) -> None:
    for source in sources:
        shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]  # IPython's own


def told(cells: RanCells, count: int, redactor: Redactor = NOTHING) -> str:
    return context_of(count, cells, redactor).text


def test_source_output_and_result_of_the_last_cells_are_known(
    shell: InteractiveShell, cells: RanCells
) -> None:
    run(shell, "x = 1", "print('printed')\nx + 41", "x = 2;")
    first, second, third = cells.recent(9)
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert second.source == "print('printed')\nx + 41"
    assert told(cells, 2).count("42") == 1
    assert "printed" in told(cells, 2)
    assert not first.shown
    assert not third.shown


def test_of_cells_before_the_extension_the_results_are_known(shell: InteractiveShell) -> None:
    run(shell, "print('lost')\n'kept'", "a = 1")
    cells = RanCells(shell)
    cells.install()
    run(shell, "'new'")
    assert [ran.number for ran in cells.recent(9)] == [1, 2, 3]
    assert "'kept'" in told(cells, 9)
    cells.remove()


def test_a_writer_that_was_heard_is_as_it_was_afterwards(
    shell: InteractiveShell, cells: RanCells
) -> None:
    run(shell, "print('x')", "1 / 0", "print('y')")
    assert "heard" not in repr(sys.stdout.write)


def test_only_so_many_cells_are_kept(shell: InteractiveShell, cells: RanCells) -> None:
    run(shell, *(f"n = {n}" for n in range(KEPT + 5)))
    assert len(cells.recent(KEPT)) == KEPT
    assert cells.recent(1)[0].source == f"n = {KEPT + 4}"


def test_what_a_cell_shows_is_kept_in_bounds() -> None:
    ran = Ran(1, "")
    for number in range(5_000):
        ran.add("x" * 10_000, f"display {number % 2_000}")
        ran.add("y\n")
    assert sum(min(text.length, MOST) for _, text in ran.shown) <= MOST_SHOWN + 20_000
    assert len(ran.shown) <= 1_000
    assert (ran.shown[0][0], ran.shown[-2][0]) == ("display 0", "display 999")


def test_a_secret_across_what_is_left_out_is_not_told(
    shell: InteractiveShell, cells: RanCells
) -> None:
    shell.user_ns["secret"] = SECRET
    for before in range(19_970, 20_005, 3):
        run(shell, f"print('y' * {before} + secret + '\\r' + 'z' * 50_000)")
        text = told(cells, 1, Redactor([SECRET]))
        assert all(SECRET[:n] not in text for n in (4, 12, len(SECRET)))
        assert all(SECRET[-n:] not in text for n in (6, 12))


def test_the_last_error_is_told_with_the_types_of_its_names(
    shell: InteractiveShell, cells: RanCells
) -> None:
    shell.user_ns["price"] = 3
    run(shell, "count = 0\nprice / count", "done = True")
    asked = about_failure("fix", "soon", cells=cells, namespace=own_names(shell), redactor=NOTHING)
    assert "count = 0\nprice / count" in asked.prompt
    assert "ZeroDivisionError" in asked.prompt
    assert "count: int\nprice: int" in asked.prompt
    assert "I say to it: soon" in asked.prompt
    assert asked.sent.startswith("the last error, ")


def test_an_error_from_before_the_extension_is_found(shell: InteractiveShell) -> None:
    run(shell, "def f():\n    return missing\nf()")
    failure = last_failure(RanCells(shell))
    assert failure is not None
    assert "NameError" in failure.traceback
    assert failure.source.startswith("def f():")


@pytest.mark.parametrize("verb", ["fix", "explain"])
def test_without_an_error_there_is_none_to_fix(cells: RanCells, verb: Any) -> None:
    with pytest.raises(UsageError, match=r"^There is no error to fix\. "):
        about_failure(verb, "", cells=cells, namespace={}, redactor=NOTHING)


def test_a_verb_stands_alone_or_follows_a_failure(shell: InteractiveShell, cells: RanCells) -> None:
    assert asked_verb("fix", cells) == "fix"
    assert asked_verb(" explain ", cells) == "explain"
    assert asked_verb("explain this chart to me", cells) is None
    run(shell, "1 / 0")
    assert asked_verb("explain this chart to me", cells) == "explain"
    assert asked_verb("fixing it", cells) is None
    run(shell, "None")
    assert asked_verb("fix this", cells) is None
    assert asked_verb("", cells) is None


def test_names_are_told_by_type_and_none_is_asked() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    names = {"a": Hostile(), "b": "text", "module": sys, "unused": 1}
    said = names_text("a.b = b + module + 'unused'.a; for x in gone: pass", names).split("\n")
    assert said[0].startswith("a: tests.unit.notebook.context.test_ran_cells.test_names_are")
    assert said[1:] == ["b: str", "unused: int"]


def test_a_prompt_without_context_is_as_it_is(cells: RanCells) -> None:
    asked = question("do it", context="none", cells=cells, redactor=NOTHING)
    assert (asked.prompt, asked.sent) == ("do it", "")
    some = question("do it", ["{{n}} = 3"], context="2", cells=cells, redactor=NOTHING)
    assert (some.prompt, some.sent) == ("do it", "{{n}} = 3 · context: no cell")


@pytest.mark.parametrize(
    ("words", "asked"), [("3", 3), ("none", 0), ("0", 0), ("errors", "errors")]
)
def test_a_context_is_a_number_or_a_word(words: str, asked: object) -> None:
    assert how_many(words) == asked


@pytest.mark.parametrize("words", ["", "51", "-1", "all", "1e3", "²", "9" * 5_000])
def test_no_other_context_is_known(words: str) -> None:
    with pytest.raises(UsageError, match="up to 50, errors or none"):
        how_many(words)


def test_what_ipython_put_there_is_no_name_of_ones_own(shell: InteractiveShell) -> None:
    shell.user_ns.update(mine=1, exit="now mine")
    names = own_names(shell, {"mine": 2})
    assert names["mine"] == 2
    assert names["exit"] == "now mine"
    assert not {"In", "Out", "get_ipython"} & set(names)


def test_what_our_magics_show_is_left_out_and_ipython_reads_of_them_what_it_did(
    shell: InteractiveShell, cells: RanCells, capsys: pytest.CaptureFixture[str]
) -> None:
    def ours(line: str, local_ns: object = None) -> None:
        assert local_ns is not None
        print("left out", line)  # noqa: T201  (it is what is left out)

    mark: Any = no_var_expand  # IPython's type of it is another
    magic = mark(needs_local_scope(ours))
    shell.register_magic_function(magic, "line", "ours")
    cells.without(SimpleNamespace(magics={"line": {"ours": magic}}))  # type: ignore[arg-type]  # all it reads
    run(shell, "print('before')\n%ours {x} $y\nprint('after')")
    assert "left out {x} $y" in capsys.readouterr().out
    assert "It showed:\nbefore\nafter\n" in told(cells, 1)
