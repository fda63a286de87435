"""``-i`` and ``-o`` of ``%%vibekit_run`` in a real kernel: variables go, and variables come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.outputs import html_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernel import Cell

FRAME = """
import pandas as pd
df = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"]), "x": [1.0, 2.0, 4.0]})
mixed = pd.DataFrame({"m": pd.Series([1, "x"], dtype=object)})
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with Kernel(tmp_path_factory.mktemp("kernel") / "home") as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        assert kernel.run(FRAME).status == "ok"
        assert kernel.run("%vibekit_session new data").status == "ok"
        yield kernel


def shown(cell: Cell) -> str:
    (output,) = cell.displays
    return str(output["text/plain"])


def value(kernel: Kernel, expression: str) -> str:
    return kernel.run(f"print({expression}, end='')").stdout


def failed(kernel: Kernel, code: str) -> str:
    cell = kernel.run(code, stop_on_error=False)
    assert cell.status == "error"
    assert cell.error is not None
    (line,) = cell.error
    return line


def test_variables_go_in_and_come_back_and_the_card_says_so(kernel: Kernel) -> None:
    cell = kernel.run(
        "%%vibekit_run -i df -o summary,n\n"
        "summary = df.groupby('kind', observed=True)['x'].sum().reset_index()\n"
        "n = len(df)\nprint('printed')"
    )
    assert cell.status == "ok", cell.error
    head, sent, printed, *came = shown(cell).splitlines()
    assert head == "Python · session data"
    assert re.fullmatch(r"df → data/df\.arrow  3 × 2, [\d.]+ k?B, [\d.]+ s", sent)
    assert printed == "printed"
    assert [line.partition("  ")[0] for line in came] == [
        "summary ← out/summary.arrow",
        "n ← out/n.json",
    ]
    assert "df → data/df.arrow" in html_words(cell.displays[0]["text/html"])
    assert value(kernel, "type(summary).__name__, summary.x.tolist(), n") == (
        "DataFrame [5.0, 2.0] 3"
    )


def test_an_input_that_is_as_it_was_is_set_again_and_not_sent(kernel: Kernel) -> None:
    kernel.run("%%vibekit_run -i df\ndf = None")
    cell = kernel.run("%%vibekit_run --in df\nlen(df)")
    assert shown(cell).splitlines()[1:] == ["df → data/df.arrow  unchanged", "3"]


def test_what_is_refused_is_one_sentence_and_nothing_runs(kernel: Kernel) -> None:
    line = failed(kernel, "%%vibekit_run -i df -i mixed\nran = 1")
    assert line == (
        "DataError: cannot send 'mixed': column 'm' holds int and str together: "
        "make it one type (mixed['m'].astype(str))."
    )
    assert "'ran' is not defined" in failed(kernel, "%%vibekit_run\nran")
    line = failed(kernel, "%%vibekit_run -i dff\n1")
    assert line == "DataError: There is no variable 'dff'. Did you mean 'df'?"
    line = failed(kernel, "%%vibekit_run -o a,a\n1")
    assert line == "DataError: 'a' is named twice. Name it once."


def test_the_old_value_stays_where_a_cell_fails_or_nothing_comes_back(kernel: Kernel) -> None:
    kernel.run("kept = other = 'old'")
    line = failed(kernel, "%%vibekit_run -o kept\nkept = 'new'\n1 / 0")
    assert line == "CodeError: ZeroDivisionError: division by zero"
    line = failed(kernel, "%%vibekit_run -o kept -o othr\nkept = 'new'\nother = 'new'")
    assert line == (
        "DataError: There is no variable 'othr' in the sandbox's Python. Did you mean 'other'?"
    )
    line = failed(kernel, "%%vibekit_run -o kept\nkept = object()")
    assert line == (
        "DataError: cannot return 'kept' (object): there is no file format for it. "
        "Save it yourself and use %vibekit_files pull."
    )
    assert value(kernel, "kept, other") == "old old"


def test_bash_reads_files_and_leaves_files(kernel: Kernel) -> None:
    kernel.run("words = 'one two'")
    cell = kernel.run(
        "%%vibekit_run --lang bash -i words -o counted\n"
        "mkdir -p out; wc -w <data/words.txt >out/counted.txt"
    )
    assert cell.status == "ok", cell.error
    assert value(kernel, "counted.strip()") == "2"
    line = failed(kernel, "%%vibekit_run --lang bash -o nowhere\ntrue")
    assert line.startswith(
        "DataError: 'nowhere' did not come back: the cell left no file of that name."
    )


def test_an_interrupt_while_a_cell_runs_brings_nothing_and_the_next_cell_works(
    kernel: Kernel,
) -> None:
    kernel.run("kept = 'old'")
    code = "import time\nkept = 'new'\nprint('beg' + 'un')\ntime.sleep(60)"
    message = kernel.begin(f"%%vibekit_run -i df -o kept\n{code}", stop_on_error=False)
    kernel.wait_for(message, "begun")
    kernel.interrupt()
    cell = kernel.end(message)
    assert cell.ename == "RunInterruptedError"
    assert value(kernel, "kept") == "old"
    kernel.run("%%vibekit_run -o kept\nkept += '!'")
    assert value(kernel, "kept") == "new!"


def test_an_interrupt_while_an_input_is_sent_leaves_no_half_file(kernel: Kernel) -> None:
    kernel.run("import numpy as np; large = np.ones(40_000_000)")
    code = "%%vibekit_run -i large\nimport time; time.sleep(60)"
    message = kernel.begin(code, stop_on_error=False)
    kernel.wait_for(message, "session")
    kernel.interrupt()
    assert kernel.end(message).ename == "RunInterruptedError"
    kernel.run("del large")
    left = shown(kernel.run("%%vibekit_run --lang bash\nls -A data"))
    assert ".part" not in left
    assert shown(kernel.run("%%vibekit_run -i df\nlen(df)")).endswith("\n3")


def test_the_client_takes_and_gives_them_too(kernel: Kernel) -> None:
    kernel.run("from vibekit_jupyter import get_client; client = get_client()")
    code = "('n += 1', inputs={'n': 4}, outputs=['n'])"
    assert value(kernel, f"(await client.run_code{code}).outputs") == "{'n': 5}"
    assert value(kernel, f"client.sync.run_code{code}.outputs") == "{'n': 5}"


def test_the_help_names_them(kernel: Kernel) -> None:
    text = kernel.run("%%vibekit_run --help").text
    assert "-i NAME[,NAME]" in text
    assert "-o NAME[,NAME]" in text
