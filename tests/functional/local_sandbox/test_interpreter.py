"""The code interpreter: kernels that pause, die, print much, and forget what was for one run."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.local_sandbox.conftest import where
from tests.functional.local_sandbox.test_commands import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.sandbox_server import SandboxServer


@pytest.fixture
def interpreter(server: SandboxServer) -> Iterator[Any]:
    """A sandbox that runs code."""
    import e2b_code_interpreter  # type: ignore[import-untyped]  # it tells no types

    with e2b_code_interpreter.Sandbox.create(timeout=600, **where(server)) as sandbox:
        assert sandbox.run_code("x = 41").error is None
        yield sandbox


def test_code_runs_on_after_a_pause(interpreter: Any) -> None:
    interpreter.pause()
    interpreter.connect()
    assert interpreter.run_code("x + 1", timeout=30).text == "42"


def test_code_that_ran_at_a_pause_is_stopped_and_its_context_goes_on(interpreter: Any) -> None:
    ended: list[Exception] = []

    def run() -> None:
        code = "open('begun', 'w').close()\nimport time; time.sleep(100)"
        try:
            interpreter.run_code(code, timeout=200)
        except Exception as error:
            ended.append(error)

    running = threading.Thread(target=run)
    running.start()
    wait_for(lambda: interpreter.files.exists("begun"))
    interpreter.pause()
    running.join(20)
    assert len(ended) == 1
    interpreter.connect()
    assert interpreter.run_code("x + 1", timeout=30).text == "42"


def test_a_kernel_that_ended_is_told_and_started_again(interpreter: Any) -> None:
    died = interpreter.run_code("import os; os._exit(3)", timeout=60)
    assert died.error.name == "KernelDied"
    assert interpreter.run_code("'x' in dir()", timeout=60).text == "False"
    context = interpreter.create_code_context()
    interpreter.run_code("import os; os.kill(os.getpid(), 9)", context=context, timeout=60)
    assert interpreter.run_code("1 + 1", context=context, timeout=60).text == "2"


def test_a_bridge_that_ended_makes_room_for_another(interpreter: Any) -> None:
    interpreter.commands.run("pkill -9 -f '^python -c' || true")

    def runs() -> bool:
        with contextlib.suppress(Exception):  # the server may not have heard of its end yet
            return bool(interpreter.run_code("1 + 1", timeout=60).text == "2")
        return False

    wait_for(runs)


@pytest.mark.parametrize("language", ["bash", "javascript", "r"])
def test_another_language_does_not_run_as_python(interpreter: Any, language: str) -> None:
    with pytest.raises(Exception, match=f"no kernel for {language}"):
        interpreter.run_code("x + 1", language=language)


def test_variables_hold_for_one_run(interpreter: Any) -> None:
    given = "it's \"quoted\"\n'''\\n"
    envs = {"GIVEN": given, "HOME": "/elsewhere"}
    shown = interpreter.run_code("import os; os.environ['GIVEN']", envs=envs).text
    assert shown == repr(given)
    assert interpreter.run_code("1 / 0", envs=envs).error.name == "ZeroDivisionError"
    after = interpreter.run_code("os.environ.get('GIVEN', 'gone'), os.environ['HOME']").text
    assert after == "('gone', '/home/user')"


def test_much_output_comes_in_time_that_grows_with_it(interpreter: Any) -> None:
    def seconds(million: int) -> float:
        begun = time.monotonic()
        shown = interpreter.run_code(f"print('x' * {million}_000_000)").logs.stdout
        assert sum(map(len, shown)) == million * 1_000_000 + 1
        return time.monotonic() - begun

    # Five times as much is 25 times as long where each piece is copied with all before it.
    assert any(seconds(20) < 12 * max(0.1, seconds(4)) for _attempt in range(2))


def test_a_result_that_is_too_large_is_left_out_and_said(interpreter: Any) -> None:
    shown = interpreter.run_code("'y' * 40_000_000", timeout=120)
    assert shown.results == []
    assert "left out" in "".join(shown.logs.stderr)
    assert interpreter.run_code("x + 1").text == "42"


def test_a_run_that_nobody_waits_for_is_stopped(interpreter: Any) -> None:
    from e2b import TimeoutException

    with pytest.raises(TimeoutException):
        interpreter.run_code("import time; time.sleep(100)", timeout=1)
    assert interpreter.run_code("x + 1", timeout=30).text == "42"
