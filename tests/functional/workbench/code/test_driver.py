"""The driver by itself: what it says of cells, with IPython and in a Python that has nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.workbench.code.framing import FrameReader
from vibekit_jupyter.workbench.code.interpreter import driver_source
from vibekit_jupyter.workbench.code.teaching import lesson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "\x1emark"
OWN = "<vibekit>"
LAUNCH = "import os; exec(compile(os.environ['DRIVER'], '<vibekit>', 'exec'))"


class Driver:
    """A driver in a process of its own."""

    def __init__(self, *options: str, home: str = "/nonexistent") -> None:
        self.process = subprocess.Popen(
            [sys.executable, *options, "-c", LAUNCH],
            env={"DRIVER": driver_source(), "PATH": "/usr/bin:/bin", "HOME": home},
            cwd=home if home != "/nonexistent" else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        self._reader = FrameReader(MARK)
        self._number = 0
        self.send({"mark": MARK})

    def send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")

    def run(self, code: str) -> tuple[str, list[dict[str, Any]], dict[str, Any] | None]:
        """Run a cell; return what it printed, what it showed, and its error."""
        printed, frames = self.ask("run", code=code)
        shown = [frame for frame in frames if "show" in frame]
        printed += "".join(frame.get("stderr", "") for frame in frames)
        return printed, shown, frames[-1]["error"]

    def ask(self, action: str, **fields: Any) -> tuple[str, list[dict[str, Any]]]:
        """Ask for something; return what was printed meanwhile, and the frames that came."""
        assert self.process.stdout is not None
        self._number += 1
        self.send({"do": action, "id": str(self._number), **fields})
        printed, frames = "", list[dict[str, Any]]()
        while not (frames and frames[-1].get("end") == str(self._number)):
            data = self.process.stdout.read(65536)
            assert data, "the driver ended"
            for part in self._reader.feed(data.decode()):
                if isinstance(part, str):
                    printed += part
                else:
                    frames.append(part)
        return printed, frames

    def value(self, code: str) -> Any:
        _, shown, error = self.run(code)
        assert error is None, error["traceback"]
        return shown[-1]["show"]["text/plain"]


@pytest.fixture(params=[(), ("-I", "-S")], ids=["ipython", "plain"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    driver = Driver(*request.param)
    with driver.process:
        yield driver
        driver.process.kill()


def test_variables_stay_and_the_last_expression_is_the_value(driver: Driver) -> None:
    driver.run("x = 41\ndef f():\n    return x + 1")
    assert driver.value("f()") == "42"
    assert driver.value("_") == "42"
    assert driver.run("f();")[1] == []
    assert driver.value("import __main__; __main__.x") == "41"


def test_what_is_printed_comes_in_its_order(driver: Driver) -> None:
    code = "import subprocess, os\nprint('a')\nsubprocess.call(['echo', 'b'])\nprint('c')\n"
    code += "os.system('echo d')\nprint('e', end='')\nNone"
    assert driver.run(code)[0] == "a\nb\nc\nd\ne"


def test_a_cell_may_await(driver: Driver) -> None:
    assert driver.value("import asyncio\nawait asyncio.sleep(0)\n5") == "5"


def test_a_traceback_begins_in_the_cell(driver: Driver) -> None:
    _, _, error = driver.run("def f():\n    return {}['mouth']\nf()")
    assert error is not None
    assert (error["name"], error["value"]) == ("KeyError", "'mouth'")
    assert error["traceback"].splitlines()[1] == '  File "<cell 1>", line 3, in <module>'
    assert "return {}['mouth']" in error["traceback"]
    assert "<vibekit>" not in error["traceback"]
    _, _, error = driver.run("def (")
    assert error is not None
    assert error["name"] == "SyntaxError"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("raise SystemExit(3)", "SystemExit"),
        ("import sys; sys.exit()", "SystemExit"),
        ("input()", "EOFError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(BaseException): pass\nraise E", "E"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_an_odd_end_of_a_cell_is_an_error_and_the_next_one_runs(
    driver: Driver, code: str, name: str
) -> None:
    _, _, error = driver.run(code)
    assert error is not None
    assert error["name"] == name
    assert driver.value("1 + 1") == "2"


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    raise SystemExit\nexcept SystemExit: pass",
        "import os; os.close(0); os.close(1); os.close(2)",
        "import sys; sys.stdout = sys.stderr = None",
        "import os\nif os.fork() == 0: print('child')\nelse: os.wait()",
        "import threading; threading.Thread(target=print, args=('x',)).start()",
        "import sys; sys.stdin.read()",
        "import os; os.write(1, b'\\xff' * 10)\nNone",
    ],
)
def test_whatever_a_cell_does_to_its_streams_the_next_one_is_heard(
    driver: Driver, code: str
) -> None:
    driver._reader = FrameReader(MARK)
    if "xff" in code:
        code = code.replace("1, ", "2, ")
    assert driver.run(code)[2] is None
    assert driver.run("print('heard')")[0].endswith("heard\n")


def test_a_value_that_cannot_say_what_it_is_does_no_harm(driver: Driver) -> None:
    driver.run("class Odd:\n    def __repr__(self): return 1 / 0\nOdd()")
    driver.run(
        "class Deep:\n    def _repr_mimebundle_(self, **_): return {1: 2, 'a/b': self}\nDeep()"
    )
    assert driver.value("2") == "2"


def test_a_value_of_many_forms_is_sent_within_bounds(driver: Driver) -> None:
    code = """
class Large:
    def __repr__(self): return 'x' * 10_000_000
    def _repr_html_(self): return 'y' * 10_000_000
    def _repr_png_(self): return b'png'
Large()
"""
    _, (frame,), _ = driver.run(code)
    assert len(frame["show"]["text/plain"]) < 200_000
    assert frame["left"] == {"text/html": 10_000_000}
    assert frame["show"]["image/png"] == "cG5n"


def test_a_data_frame_is_sent_as_cells_of_text() -> None:
    driver = Driver()
    with driver.process:
        code = "import pandas\npandas.DataFrame({f'c{n}': range(30) for n in range(25)})"
        _, (frame,), _ = driver.run(code)
        table = json.loads(frame["show"]["application/vnd.vibekit.table+json"])
        assert table["shape"] == [30, 25]
        assert table["columns"] == [f"c{number}" for number in range(20)]
        assert [row[0] for row in table["rows"]] == [str(number) for number in range(20)]
        assert table["numeric"] == [True] * 20
        driver.process.kill()


def test_it_ends_when_its_input_ends(driver: Driver) -> None:
    assert driver.process.stdin is not None
    driver.process.stdin.close()
    assert driver.process.wait(10) == 0


@pytest.mark.parametrize("options", [(), ("-I", "-S")], ids=["ipython", "plain"])
def test_what_is_learned_runs_a_cell_between_its_variables(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "n.json").write_text("[1, 2]")
    ours = lesson()
    taught = {"package": ours.package, "module": ours.module, "texts": ours.texts}
    told = {"file": "n.json", "kind": "list as JSON", "size": 6, "digest": ""}
    cell = {"inputs": {"n": told}, "outputs": ["total"], "packages": [], "near": True}
    driver = Driver(*options, home=str(tmp_path))
    with driver.process:
        driver.run("1")
        # What lies about there by the name of a module of the library is not what ours import.
        for name in ("secrets", "resource", "uuid", "zoneinfo", "mmap"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
        for _ in range(2):  # another kernel may teach the same
            assert driver.ask("learn", **taught)[1][-1]["error"] is None
        run = f"{ours.package}.cell"
        _, frames = driver.ask(run, code="total = {'sum': sum(n)}\nn", **cell)
        written = {"file": "total.json", "kind": "dict as JSON", "note": ""}
        assert frames[-1]["answer"] == {"written": {"total": written}}
        assert [f["show"]["text/plain"] for f in frames if "show" in f] == ["[1, 2]"]
        assert json.loads((tmp_path / "out" / "total.json").read_text()) == {"sum": 3}
        failed = driver.ask(run, code="1 / 0", **cell)[1][-1]
        assert (failed["error"]["name"], "answer" in failed) == ("ZeroDivisionError", False)
        assert OWN not in failed["error"]["traceback"]
        refused = driver.ask(run, code="del total", **cell)[1][-1]["answer"]["refused"]
        assert refused.startswith("There is no variable 'total' in the sandbox's Python.")
        assert (
            driver.run("[name for name in globals() if 'vibekit' in name]")[1][-1]["show"][
                "text/plain"
            ]
            == "[]"
        )
        driver.process.kill()
