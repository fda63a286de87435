"""Code runs in a session's sandbox without a model: its state, its errors, its ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import CodeError, ConfigurationError
from vibekit_jupyter.workbench.code.interpreter import WAITS
from vibekit_jupyter.workbench.code.interpreters import ANEW
from vibekit_jupyter.workbench.code.told import Notice, Printed

if TYPE_CHECKING:
    from tests.functional.conftest import NewClient
    from tests.support.sandbox_server import SandboxServer
    from vibekit_jupyter import VibeKit
    from vibekit_jupyter.workbench.code.told import Output

pytestmark = pytest.mark.anyio


class Heard(list["Output"]):
    """What a run tells, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._came = asyncio.Event()

    def __call__(self, told: Output) -> None:
        self.append(told)
        self._came.set()

    @property
    def text(self) -> str:
        return "".join(told.text for told in self if isinstance(told, Printed | Notice))

    async def wait_for(self, text: str) -> None:
        async with asyncio.timeout(30):
            while text not in self.text:
                self._came.clear()
                await self._came.wait()


async def test_state_stays_from_cell_to_cell(client: VibeKit) -> None:
    await client.run_code("x = 41")
    result = await client.run_code("print('printed')\nx + 1")
    assert (result.text, result.stdout) == ("42", "printed\n")
    assert result.session_id == await client.get_session()


async def test_output_comes_while_the_cell_runs(client: VibeKit) -> None:
    heard = Heard()
    code = "import sys, time\nprint('no line end', end='')\nprint('!', file=sys.stderr)\n"
    running = asyncio.create_task(client.run_code(f"{code}time.sleep(60)", on_output=heard))
    await heard.wait_for("no line end")
    await heard.wait_for("!")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_error_has_the_sandboxes_traceback(client: VibeKit) -> None:
    with pytest.raises(CodeError, match="KeyError: 'mouth'") as failed:
        await client.run_code("months = {}\nmonths['mouth']")
    error = failed.value
    assert (error.name, error.value) == ("KeyError", "'mouth'")
    assert "line 2, in <module>" in error.traceback
    assert "<vibekit>" not in error.traceback


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os; print('bye'); os._exit(3)", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "segmentation"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kill"),
    ],
)
async def test_a_python_that_ends_is_told_and_the_next_cell_starts_it_anew(
    client: VibeKit, code: str, how: str
) -> None:
    await client.run_code("x = 1")
    with pytest.raises(CodeError, match="ended while the cell ran") as ended:
        await client.run_code(code)
    assert how in str(ended.value)
    heard = Heard()
    with pytest.raises(CodeError, match="NameError"):
        await client.run_code("x", on_output=heard)
    assert heard == [ANEW]
    assert (await client.run_code("1 + 1")).text == "2"


async def test_a_cancelled_cell_is_interrupted_and_its_state_stays(client: VibeKit) -> None:
    heard = Heard()
    code = "import time\nx = 7\nprint('begun')\ntime.sleep(60)"
    running = asyncio.create_task(client.run_code(code, on_output=heard))
    await heard.wait_for("begun")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await client.run_code("x")).text == "7"


async def test_what_a_cell_has_started_is_interrupted_with_it(client: VibeKit) -> None:
    heard = Heard()
    code = "import os\nprint('begun')\nos.system('echo child; sleep 61.41592')"
    running = asyncio.create_task(client.run_code(code, on_output=heard))
    await heard.wait_for("child")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await client.run_code("1")).text == "1"


async def test_a_cancelled_cell_that_ignores_it_is_ended_and_that_is_told(client: VibeKit) -> None:
    heard = Heard()
    code = """
spins = 0
while True:
    try:
        print('begun')
        while True: spins += 1
    except KeyboardInterrupt:
        continue
"""
    running = asyncio.create_task(client.run_code(code, on_output=heard))
    await heard.wait_for("begun")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    after = Heard()
    assert (await client.run_code("1", on_output=after)).text == "1"
    assert ANEW in after


async def test_a_cell_has_a_time_limit_where_one_is_given(client: VibeKit) -> None:
    await client.run_code("1")
    with pytest.raises(CodeError, match=r"out of time after 0\.5 s"):
        await client.run_code("import time; x = 3; time.sleep(60)", timeout=0.5)
    assert (await client.run_code("x")).text == "3"


async def test_two_cells_at_once_queue_and_say_so(
    client: VibeKit, new_client: NewClient, level_server: SandboxServer
) -> None:
    other = new_client(
        environment={"e2b": level_server.where}, session_id=await client.get_session()
    )
    first, second, third = Heard(), Heard(), Heard()
    code = (
        "import os, time\nprint('begun')\nwhile not os.path.exists('go'): time.sleep(0.01)\nx = 1"
    )
    running = asyncio.create_task(client.run_code(code, on_output=first))
    await first.wait_for("begun")
    waiting = asyncio.create_task(other.run_code("x + 1", on_output=second))
    given_up = asyncio.create_task(client.run_code("x = 99", on_output=third))
    await second.wait_for(WAITS.text)
    await third.wait_for(WAITS.text)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await client.execute_command("touch go")
    await running
    assert (await waiting).text == "2"
    assert (await client.run_code("x")).text == "1"


async def test_another_kernel_finds_the_interpreter(
    client: VibeKit, new_client: NewClient, level_server: SandboxServer
) -> None:
    await client.run_code("x = 5")
    await client.aclose()
    other = new_client(
        environment={"e2b": level_server.where}, session_id=await client.get_session()
    )
    heard = Heard()
    assert (await other.run_code("x", on_output=heard)).text == "5"
    assert ANEW not in heard


async def test_two_kernels_that_begin_at_once_have_one_interpreter(
    client: VibeKit, new_client: NewClient, level_server: SandboxServer
) -> None:
    other = new_client(
        environment={"e2b": level_server.where}, session_id=await client.get_session()
    )
    await asyncio.gather(client.run_code("a = 1"), other.run_code("b = 2"))
    assert (await client.run_code("a + b")).text == "3"


async def test_a_pause_keeps_the_state(client: VibeKit) -> None:
    await client.run_code("x = 41")
    await client.pause()
    await client.resume()
    assert (await client.run_code("x + 1")).text == "42"


async def test_forty_megabytes_of_output_are_counted_and_not_kept(client: VibeKit) -> None:
    length = 0

    def count(told: Output) -> None:
        nonlocal length
        length += len(told.text) if isinstance(told, Printed) else 0

    result = await client.run_code("print('x' * 40_000_000)", on_output=count)
    assert length == 40_000_001
    assert len(result.stdout) < 1_100_000


async def test_a_secret_of_the_kernels_is_not_told(
    client: VibeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-very-secret-word")
    heard = Heard()
    code = "secret = 'sk-very-secret' + '-word'\nprint(secret)\nsecret"
    result = await client.run_code(code, on_output=heard)
    assert "very-secret-word" not in repr(heard) + repr(result.stdout) + result.text
    assert "[redacted]" in result.stdout
    with pytest.raises(CodeError) as failed:
        await client.run_code("raise ValueError(secret)")
    assert "very-secret-word" not in str(failed.value) + failed.value.traceback


async def test_what_a_listener_raises_is_raised(client: VibeKit) -> None:
    def fail(_: Output) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await client.run_code("print(1)", on_output=fail)
    assert (await client.run_code("1")).text == "1"


async def test_bash_keeps_its_folder_and_what_it_exports(client: VibeKit) -> None:
    await client.run_code("mkdir -p 'a b'; cd 'a b'; export WORD='x  y'", language="bash")
    with pytest.raises(CodeError) as failed:
        await client.run_code('echo "$PWD $WORD"; exit 4', language="bash")
    assert failed.value.exit_code == 4
    result = await client.run_code(
        'echo "$PWD $WORD" >&2; echo "${VIBEKIT_CODE-none}"', language="bash"
    )
    assert result.stdout == "none\n"
    assert result.stderr.endswith("/a b x  y\n")


async def test_a_program_that_is_not_there_is_named(client: VibeKit) -> None:
    await client.execute_command("mkdir -p ~/empty")
    with pytest.raises(CodeError, match="There is no Rscript in this sandbox"):
        await client.run_code("1", language="r")


async def test_what_cannot_be_run_is_refused(client: VibeKit) -> None:
    with pytest.raises(ConfigurationError, match="no language 'perl'"):
        await client.run_code("1", language="perl")  # type: ignore[arg-type]


async def test_no_model_needs_to_be_configured(
    client: VibeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("OPENAI_API_KEY", "a key with spaces")
        assert (await client.run_code("1 + 1")).text == "2"
