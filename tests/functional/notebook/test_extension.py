"""Loading and unloading, in fresh kernels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.local_server import is_running
from tests.support.model_server import ModelServer
from tests.support.versions import needs_subshells
from vibekit_jupyter.demo_model.wire import Answer

if TYPE_CHECKING:
    from pathlib import Path

HELLO = "print('hello from the sandbox')"

HOOKS = """
import json, signal
shell = get_ipython()
hooks = json.dumps([
    sorted(shell.magics_manager.magics["line"]), sorted(shell.magics_manager.magics["cell"]),
    sorted(shell.magics_manager.registry), len(shell.configurables),
    [repr(t) for t in shell.input_transformers_cleanup + shell.input_transformers_post],
    {name: [f.__qualname__ for f in hooks] for name, hooks in shell.events.callbacks.items()},
    len(shell.Completer.custom_matchers), str(signal.getsignal(signal.SIGINT)),
])
"""

AUDIT = """
import sys, threading, os
audited = []
sys.addaudithook(lambda event, args: audited.append((event, str(args)[:80])) if event in
    {"socket.connect", "socket.bind", "socket.__new__", "subprocess.Popen", "os.fork", "os.mkdir",
     "os.posix_spawn", "sqlite3.connect", "os.remove", "os.rename"}
    or event == "open" and args[1] and set(str(args[1])) & set("wax+") else None)
before, threads, variables = set(sys.modules), threading.active_count(), dict(os.environ)
"""

SHOW = """
heavy = {"e2b", "openai", "anthropic", "ipywidgets", "anywidget", "aiohttp", "httpx", "anyio",
         "markdown_it", "nh3", "pygments.lexers", "sqlite3", "vibekit_jupyter.client"}
print(audited, sorted((set(sys.modules) - before) & heavy), threading.active_count() - threads,
      dict(os.environ) == variables)
"""


def test_loading_opens_starts_writes_and_imports_nothing(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run(AUDIT)
        assert kernel.run("audited.clear()\n%load_ext vibekit_jupyter").status == "ok"
        shown = kernel.run(SHOW).stdout
        # The kernel's own history is written by a thread of its own.
        assert shown == "[] [] 0 True\n"
        assert not vibekit_home.exists()


def test_unloading_takes_every_hook_away(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run("%load_ext autoreload")  # IPython loads its own magics when they are needed
        kernel.run(HOOKS)
        kernel.run("before = hooks\n%load_ext vibekit_jupyter")
        kernel.run(f"%%vibekit\n{HELLO}")
        kernel.run("%unload_ext vibekit_jupyter")
        kernel.run(HOOKS)
        assert kernel.run("print(hooks == before)").stdout == "True\n", kernel.run(
            "print(before); print(hooks)"
        ).stdout
        assert kernel.run("%vibekit_session", stop_on_error=False).status == "error"


def test_loading_again_keeps_the_session(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        kernel.run(f"%%vibekit\n{HELLO}")
        assert kernel.run("%reload_ext vibekit_jupyter").status == "ok"
        assert "no current session" not in kernel.run("%vibekit_session").text
        cell = kernel.run(f"%%vibekit\n{HELLO}")
        assert (cell.status, len(cell.displays)) == ("ok", 1)


@pytest.mark.parametrize("when", ["before", "between"])
def test_a_kernel_where_nest_asyncio_was_applied_works(vibekit_home: Path, when: str) -> None:
    with Kernel(vibekit_home) as kernel:
        apply = "import nest_asyncio; nest_asyncio.apply()"
        if when == "before":
            kernel.run(apply)
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run("from vibekit_jupyter import get_client; client = get_client()")
        assert kernel.run(f"%%vibekit\n{HELLO}").status == "ok"
        if when == "between":
            kernel.run(apply)
        for code in (
            f"%%vibekit\n{HELLO}",
            f"%vibekit {HELLO}",
            f"print((await client.generate_code({HELLO!r})).text)",
            f"print(client.sync.generate_code({HELLO!r}).text)",
            f"import asyncio; print(asyncio.run(client.generate_code({HELLO!r})).text)",
        ):
            cell = kernel.run(code)
            assert cell.status == "ok", cell.error
            assert "hello from the sandbox" in cell.text


def test_plain_display_prints_and_never_updates(vibekit_home: Path) -> None:
    with Kernel(vibekit_home, {"VIBEKIT_DISPLAY": "plain"}) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        for code in (
            f"%%vibekit\n{HELLO}",
            "%vibekit last",
            "%vibekit_session",
            "%vibekit_session list",
            "%vibekit_session pick",
            "%vibekit_config",
        ):
            cell = kernel.run(code)
            assert cell.status == "ok"
            assert cell.stdout
            assert cell.displays == []


def test_the_kernel_ends_at_once_and_leaves_no_demo_model(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run(f"%%vibekit\n{HELLO}")
        children = kernel.run(
            "from pathlib import Path\n"
            "for task in Path('/proc/self/task').iterdir(): print((task / 'children').read_text())"
        ).stdout.split()
        assert children
        kernel.shut_down()
        server = json.loads(next(vibekit_home.glob("server-*.json")).read_text())["pid"]
        left = [int(child) for child in children if is_running(int(child))]
        assert left in ([], [server])


def test_a_key_is_asked_for_used_and_never_shown(vibekit_home: Path) -> None:
    with (
        ModelServer(lambda _: Answer("Answered."), key="sk-typed-in") as server,
        Kernel(vibekit_home, {"OPENAI_BASE_URL": server.openai_url}) as kernel,
    ):
        kernel.run("%load_ext vibekit_jupyter")
        asked, cell = kernel.run_answering("%vibekit_config key", "sk-typed-in")
        assert asked == "Key for OpenAI: "
        assert cell.status == "ok"
        answered = kernel.run("%%vibekit\nhello")
        assert "Answered." in answered.text
        for shown in (cell, answered, kernel.run("%vibekit_config")):
            assert "sk-typed" not in str(shown)
        kept = b"".join(path.read_bytes() for path in vibekit_home.rglob("*") if path.is_file())
        assert b"sk-typed" not in kept


def test_a_malformed_key_is_refused_and_changes_nothing(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        for key in ("", "two words", "k\u00e9y"):
            _, cell = kernel.run_answering("%vibekit_config key --agent claude", key)
            assert (cell.status, cell.ename) == ("error", "AgentNotInitializedError")
        assert "demo" in kernel.run("%vibekit_config").text


@needs_subshells
def test_a_subshell_works_while_the_main_shell_is_busy(vibekit_home: Path) -> None:
    with Kernel(vibekit_home) as kernel:
        kernel.run("%load_ext vibekit_jupyter")
        kernel.run("import threading; free = threading.Event()")
        subshell = kernel.open_subshell()
        kernel.begin("free.wait(30)")
        for code in (f"%%vibekit\n{HELLO}", f"%vibekit {HELLO}"):
            cell = kernel.end(kernel.begin_in(subshell, code))
            assert cell.status == "ok", cell.error
            assert "hello from the sandbox" in cell.text
        assert kernel.end(kernel.begin_in(subshell, "free.set()")).status == "ok"
