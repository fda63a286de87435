"""Settings that last, in a real kernel: files, policies, traits, and hostile project folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-of-a-file-12345678"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for folder in ("user", "site", "project/.git", "ipython/profile_default"):
        (root / folder).mkdir(parents=True)
    (root / "ipython" / "profile_default" / "ipython_config.py").write_text(
        "c.VibekitMagics.effort = 'high'\nc.VibekitMagics.agent = 'claud'\n"
    )
    return root


@pytest.fixture(scope="module")
def kernel(root: Path) -> Iterator[Kernel]:
    environment = {
        "JUPYTER_CONFIG_DIR": str(root / "user"),
        "JUPYTER_CONFIG_PATH": str(root / "site"),
        "HOME": str(root),
        "IPYTHONDIR": str(root / "ipython"),
    }
    with Kernel(root / "home", environment) as kernel:
        loaded = kernel.run("%load_ext vibekit_jupyter")
        assert loaded.status == "ok"
        assert "c.VibekitMagics.agent in ipython_config.py is not used" in loaded.text
        kernel.run(f"%cd -q {root}/project")
        yield kernel


@pytest.fixture(autouse=True)
def no_files(root: Path) -> Iterator[None]:
    yield
    for name in ("user/vibekit.toml", "site/vibekit.toml", "project/pyproject.toml"):
        (root / name).unlink(missing_ok=True)


def refused(kernel: Kernel, *words: str, code: str = "%%vibekit\nhello") -> None:
    cell = kernel.run(code, stop_on_error=False)
    assert cell.status == "error"
    assert cell.error is not None
    (line,) = cell.error
    for word in words:
        assert word in line
    assert KEY not in cell.text + cell.stderr


def test_files_are_read_when_an_operation_begins(kernel: Kernel, root: Path) -> None:
    (root / "user" / "vibekit.toml").write_text("mode = 'ask'\nmax_steps = 7\n")
    shown = kernel.run("%vibekit_config").text
    assert "from ~/user/vibekit.toml" in shown
    assert "7 steps" in shown
    assert "from ipython_config.py" in shown  # the effort
    (root / "user" / "vibekit.toml").write_text("max_steps = 8\n")
    assert "8 steps" in kernel.run("%vibekit_config").text


def test_every_file_that_is_looked_at_is_told(kernel: Kernel, root: Path) -> None:
    (root / "user" / "vibekit.toml").write_text("modle = 'x'\n")
    (root / "site" / "vibekit.toml").write_text("mode = 'code'\n")
    shown = kernel.run("%vibekit_config --sources").text
    assert "refused: ~/user/vibekit.toml, line 1: there is no setting 'modle'" in shown
    assert "/etc/jupyter/vibekit.toml" in shown
    assert "missing" in shown
    assert "not usable" in kernel.run("%vibekit_config").text
    refused(kernel, "there is no setting 'modle'. Did you mean 'model'?")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("[tool.vibekit.codex]\nbase_url = 'http://127.0.0.1:9/v1'", "may not"),
        ("[tool.vibekit.claude]\nkey_command = ['touch', 'ran']", "may not"),
        ("[tool.vibekit.e2b]\napi_url = 'http://127.0.0.1:9'", "may not"),
        (f"[tool.vibekit.codex]\napi_key = '{KEY}'", "it holds a key"),
        ("[tool.vibekit]\nenvironment = 'e2b'", "may not"),
        ("[tool.vibekit\n", "it is not TOML"),
    ],
)
def test_a_hostile_project_stops_runs_and_nothing_is_sent(
    kernel: Kernel, root: Path, lines: str, words: str
) -> None:
    (root / "project" / "pyproject.toml").write_text(lines)
    (root / "project" / ".env").write_text("OPENAI_BASE_URL=http://127.0.0.1:9/v1\n")
    for code in ("%%vibekit\nhello", "%vibekit_session new x", "%%vibekit_run\n1"):
        refused(kernel, "pyproject.toml", words, code=code)
    assert not (root / "project" / "ran").exists()


def test_a_policy_holds_below_the_magics(kernel: Kernel, root: Path) -> None:
    (root / "site" / "vibekit.toml").write_text(
        "[policy]\nagent = ['codex']\nmode = ['ask', 'code']\ninternet = false\nprivate = false\n"
        "max_steps = 20\n"
    )
    claude = "agent is 'claude' (as set here), which your administrator does not allow here"
    refused(kernel, claude, code="%%vibekit --agent claude\nhello")
    refused(kernel, claude, code="%vibekit_config --agent claude")
    refused(kernel, "--private", code="%%vibekit --private\nhello")
    refused(kernel, "internet", code="%vibekit_session new --internet x")
    python = (
        "from vibekit_jupyter import VibeKit\n"
        "client = VibeKit('claude')\n"
        "try:\n    await client.generate_code('hello')\n"
        "except ValueError as error:\n    print(error)\n"
        "await client.aclose()"
    )
    assert claude in kernel.run(python).text
    shown = kernel.run("%vibekit_config --max-steps 400").text
    assert True
    assert "your administrator allows 20 here" in shown
    assert "at most 20 here" in shown
    assert "your administrator allows 20 here" in kernel.run("%%vibekit\nhello").text
    cell = kernel.run("%config VibekitMagics.agent = 'claude'", stop_on_error=False)
    assert "administrator does not allow" in cell.text + cell.stderr
    assert kernel.run("get_ipython().magics_manager.registry['VibekitMagics'].agent").status == "ok"
    kernel.run("%vibekit_config --max-steps 50")


def test_that_a_site_records_prompts_is_told_when_the_extension_is_loaded(root: Path) -> None:
    (root / "site" / "vibekit.toml").write_text(
        f"[audit]\nfile = '{root}/audit.jsonl'\nprompts = true\n"
    )
    environment = {"JUPYTER_CONFIG_PATH": str(root / "site"), "HOME": str(root)}
    with Kernel(root / "home", environment) as kernel:
        loaded = kernel.run("%load_ext vibekit_jupyter").text
    assert f"Your administrator records prompts here ({root}/audit.jsonl)" in loaded


def test_traits_and_the_magic_show_the_same(kernel: Kernel) -> None:
    kernel.run("%config VibekitMagics.mode = 'ask'")
    assert "ask" in kernel.run("%vibekit_config").text
    kernel.run("%vibekit_config --mode code")
    assert kernel.run("%config VibekitMagics.mode").text.strip() == "'code'"
    assert "'ConfigMagics'" in kernel.run("list(get_ipython().magics_manager.registry)").text


def test_what_is_saved_holds_for_the_next_kernel_and_keeps_what_stood_there(
    kernel: Kernel, root: Path
) -> None:
    file = root / "user" / "vibekit.toml"
    file.write_text("# mine\nmode = 'ask'  # for now\n\n[codex]\nmodel = 'old'\n")
    kernel.run("get_ipython().run_line_magic('vibekit_config', '--mode code')")
    kernel.run(
        "client = __import__('vibekit_jupyter').get_client(); layers = client.vibekit.layers"
    )
    kernel.run(f"layers.given = {{**layers.given, 'codex.api_key': '{KEY}'}}")
    assert "Saved in ~/user/vibekit.toml" in kernel.run("%vibekit_config --save").text
    text = file.read_text()
    assert text.startswith('# mine\nmode = "code"\n')
    assert "[codex]\nmodel = 'old'\n" in text
    assert KEY not in text
