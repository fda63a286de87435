"""What a site's and a user's files lead to as keys stands nowhere that a person or a file keeps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel
from tests.support.model_server import HttpError, ModelServer
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OF_FILE = "sk-of-a-key-file-0123456789"
OF_PROGRAM = "sk-of-a-program-0123456789"
OF_HEADER = "header-of-the-site-0123456789"
OF_OTHER_FILE = "sk-of-a-file-that-is-not-used-01"
SECRETS = (OF_FILE, OF_PROGRAM, OF_HEADER, OF_OTHER_FILE)
ALL = " ".join(SECRETS)


def script(request: Request) -> Answer | HttpError:
    if "refuse" in request.prompt:
        return HttpError(400, f"What is {ALL}?")
    if request.prompt.endswith("write"):
        return Answer(tool_calls=(ToolCall("write_file", {"path": "a.txt", "content": ALL}),))
    return Answer(f"You have {ALL}.")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    for folder in ("user", "site", "project/.git", "ipython"):
        (root / folder).mkdir(parents=True)
    (root / "key").write_text(f"{OF_FILE}\n")
    (root / "other").write_text(f"{OF_OTHER_FILE}\n")
    (root / "program").write_text(
        f"open({str(root / 'ran')!r}, 'a').write('x')\nprint({OF_PROGRAM!r})\n"
    )
    return root


@pytest.fixture(scope="module")
def kernel(root: Path) -> Iterator[Kernel]:
    with ModelServer(script) as server:
        (root / "user" / "vibekit.toml").write_text(
            f"[codex]\nbase_url = '{server.openai_url}'\nkey_file = '{root}/key'\n"
        )
        (root / "site" / "vibekit.toml").write_text(
            f"[audit]\nfile = '{root}/audit.jsonl'\nprompts = true\n"
            f"[claude]\nbase_url = '{server.anthropic_url}'\n"
            f"key_command = ['{sys.executable}', '{root}/program']\n"
            f"[codex]\nkey_file = '{root}/other'\nheaders = {{X-Gate-Key = '{OF_HEADER}'}}\n"
        )
        environment = {
            "JUPYTER_CONFIG_DIR": str(root / "user"),
            "JUPYTER_CONFIG_PATH": str(root / "site"),
            "HOME": str(root),
            "IPYTHONDIR": str(root / "ipython"),
            "VIBEKIT_ALLOW_UNCONFINED": "1",
        }
        with Kernel(root / "home", environment) as kernel:
            assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
            kernel.run(f"%cd -q {root}/project")
            yield kernel


def test_a_key_is_known_before_its_first_use_and_a_program_is_not_run_for_it(
    kernel: Kernel, root: Path
) -> None:
    cell = kernel.run(f"%%vibekit_run\nprint('{OF_FILE} {OF_OTHER_FILE} {OF_HEADER} end')")
    assert cell.stdout.strip() == "[redacted] [redacted] [redacted] end" or (
        "[redacted] [redacted] [redacted] end" in cell.text
    )
    kernel.run("%vibekit_config")
    assert not (root / "ran").exists()


def test_no_secret_of_a_file_stands_in_what_is_kept(kernel: Kernel, root: Path) -> None:
    shown = []
    for code in (
        "%%vibekit --agent claude\nSay it",
        f"%%vibekit\nSay {OF_FILE} {OF_HEADER}",
        "%%vibekit\nwrite",
        "%%vibekit\nrefuse",
        "%%vibekit --agent claude\nrefuse",
        "%vibekit last --full",
        "%vibekit_config",
        "%vibekit_config --sources",
        "%vibekit_config --max-steps 7 --save",
        "%vibekit_session history",
        "%vibekit_session history --save lesson.vibekit.json",
        "import vibekit_jupyter; print(repr(vibekit_jupyter.get_client().settings))",
    ):
        cell = kernel.run(code, stop_on_error=False)
        shown.append(f"{cell.text} {cell.stdout} {cell.stderr} {cell.displays} {cell.error}")
    assert all("You have" in text and "[redacted]" in text for text in shown[:2])
    assert (root / "ran").read_text() == "x"  # once a kernel
    for text in shown:
        assert not [secret for secret in SECRETS if secret in text]
    mine = {root / name for name in ("key", "other", "program", "site/vibekit.toml")}
    kept = [path for path in root.rglob("*") if path.is_file() and path not in mine]
    assert root / "audit.jsonl" in kept
    assert root / "project" / "lesson.vibekit.json" in kept
    for path in kept:
        # What the model wrote in its sandbox, and what IPython keeps of what was typed.
        if path.name == "a.txt" or path.name.startswith("history.sqlite"):
            continue
        data = path.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in data], path
