"""Runs are written down as the site wants: whole lines, no prompts unasked, and never a key."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import socket
import stat
import sys
import tempfile
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from vibekit_jupyter.errors import AuditError, ModelStreamError
from vibekit_jupyter.events import RunStarted
from vibekit_jupyter.results import Approval, CommandResult, Result, Usage
from vibekit_jupyter.runs import audit as module
from vibekit_jupyter.runs.audit import Audit
from vibekit_jupyter.runs.redact import Redactor
from vibekit_jupyter.settings.audit import AuditSettings
from vibekit_jupyter.settings.config import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-test-0123456789"
PROMPT = f"Read the patients' files with {KEY}\nplease"
MODEL = Model("codex", "gpt-6", "https://u:p@llm.example.org:8443/v1", KEY, "of the test")
RESULT = Result(
    session_id="i1",
    agent="codex",
    model="gpt-6",
    prompt=PROMPT,
    text="I have read secret.csv.",
    code="print(open('secret.csv'))",
    status="done",
    commands=(CommandResult("cat secret.csv", 0),),
    usage=Usage(10, 4, 2),
    steps=3,
    duration=1.23456,
    cost=0.5,
)


@pytest.fixture(autouse=True)
def new_kernel() -> Iterator[None]:
    """Nothing was told yet."""
    module._told.clear()
    module._torn.clear()
    yield
    module._told.clear()


def audit(**settings: Any) -> Audit:
    return Audit(
        AuditSettings(**settings),
        Redactor([KEY]),
        "ada",
        "/home/ada/trial-7/lesson.ipynb",
        MODEL,
        RunStarted("codex", "gpt-6", "code", PROMPT),
        "local@lab",
    )


def run(error: Exception | None = None, result: Result = RESULT, **settings: Any) -> list[str]:
    """Write a run down; return what was warned of."""
    warned: list[str] = []
    written = audit(**settings)
    written.begin(0x2A, None, warned.append)
    written.end(result, error, warned.append)
    return warned


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_leaves_a_line_at_its_start_and_one_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert run(file=str(path)) == []
    started, ended = lines(path)
    assert started["v"] == ended["v"] == 1
    assert started["run"] == ended["run"] == "2a"
    assert started["vibekit.status"] == "started"
    assert started.pop("time") <= ended["time"]
    assert ended.pop("time").endswith("Z")
    assert started.items() - ended.items() == {("vibekit.status", "started")}
    del ended["host"]
    assert ended == {
        "v": 1,
        "user": "ada",
        "notebook": "lesson.ipynb",
        "run": "2a",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "codex",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-6",
        "server.address": "llm.example.org",
        "gen_ai.conversation.id": "i1",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 2,
        "vibekit.cost": 0.5,
        "vibekit.service": "local@lab",
        "vibekit.mode": "code",
        "vibekit.status": "done",
        "vibekit.steps": 3,
        "vibekit.commands": 1,
        "vibekit.files": 0,
        "vibekit.duration": 1.235,
        "vibekit.prompt.chars": len(PROMPT),
    }


def test_prompts_code_and_paths_are_no_part_of_it_unasked(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    run(ModelStreamError("It broke off at secret.csv."), file=str(path))
    text = path.read_text()
    for secret in ("patients", "secret.csv", "trial-7", "/home", KEY, "u:p"):
        assert secret not in text
    assert lines(path)[1]["error.type"] == "ModelStreamError"


def test_what_was_decided_is_counted_and_not_what_it_was_about(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    written = audit(file=str(file))
    written.begin(7, None, print)
    decided = [("once", "you"), ("session", "session"), ("refused", "nobody"), ("stopped", "you")]
    approvals = tuple(Approval("rm secret.csv", *each, note="why") for each in decided)
    written.end(dataclasses.replace(RESULT, approvals=approvals), None, print)
    line = json.loads(file.read_text().splitlines()[-1])
    assert {name: count for name, count in line.items() if "approvals" in name} == {
        "vibekit.approvals.allowed": 2,
        "vibekit.approvals.refused": 1,
        "vibekit.approvals.stopped": 1,
    }
    assert "rm secret" not in file.read_text()


def test_prompts_are_written_down_where_the_site_says_so_and_keys_are_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    run(ModelStreamError(f"It said {KEY}."), file=str(path), prompts=True)
    started, ended = lines(path)
    assert started["vibekit.prompt"] == "Read the patients' files with [redacted]\nplease"
    assert ended["notebook"] == "/home/ada/trial-7/lesson.ipynb"
    assert ended["vibekit.error"] == "It said [redacted]."
    assert KEY not in path.read_text()


def test_a_key_at_the_place_where_a_prompt_is_cut_is_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    prompt = "x" * (module.MOST_PROMPT - 9) + KEY
    written = audit(file=str(path), prompts=True)
    written.started = RunStarted("codex", "gpt-6", "code", prompt)
    written.begin(1, None, pytest.fail)
    assert KEY[:9] not in path.read_text()
    assert len(lines(path)[0]["vibekit.prompt"]) == module.MOST_PROMPT


def test_the_file_is_its_owners_alone_whatever_the_mask(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = os.umask(0)
    try:
        run(file=str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_user_and_host_stand_in_a_files_name_and_lead_nowhere_else(tmp_path: Path) -> None:
    written = audit(file=f"{tmp_path}/{{host}}-{{user}}.jsonl")
    written.user = "../../ada/x"
    written.begin(1, None, pytest.fail)
    (path,) = tmp_path.iterdir()
    assert path.name.endswith(".jsonl")
    assert lines(path)[0]["user"] == "../../ada/x"


def test_lines_of_many_writers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write() -> None:
        for _ in range(50):
            run(file=str(path), prompts=True)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(path)) == 6 * 50 * 2


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    (path.parent / "elsewhere").touch()
    path.symlink_to(path.parent / "elsewhere")


def a_dead_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_folder, "it is a folder"),
        (a_pipe, "it is a pipe or a socket that nobody reads"),
        (a_link, "it is a symbolic link, which is not followed"),
        (a_dead_link, "it is a symbolic link, which is not followed"),
    ],
)
def test_what_is_no_file_is_told_with_its_path_and_holds_nothing_up(
    tmp_path: Path, make: Any, why: str
) -> None:
    path = tmp_path / "audit.jsonl"
    make(path)
    sentence = f"The audit file {path} cannot be written: {why}."
    assert run(file=str(path)) == [f"{sentence} Runs go on without it."]
    assert run(file=str(path)) == []  # once a kernel
    with pytest.raises(AuditError) as caught:
        run(file=str(path), required=True)
    assert str(caught.value) == (
        f"{sentence} Your administrator wants no run without it: tell them."
    )
    assert not (tmp_path / "nowhere").exists()
    if make is a_link:
        assert (tmp_path / "elsewhere").read_text() == ""


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    (warned,) = run(file=f"{tmp_path}/none/audit.jsonl")
    assert "No such file or directory" in warned
    assert str(tmp_path) in warned


@pytest.mark.skipif(sys.platform != "linux", reason="the device is Linux's own")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"The audit file /dev/full .*No space left on device"):
        run(file="/dev/full", required=True)


def test_a_line_that_was_cut_does_not_swallow_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    run(file=str(path))
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
        with pytest.raises(AuditError, match=str(path)):
            run(file=str(path), required=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    run(file=str(path))
    whole = path.read_text().splitlines()
    assert len(whole) == 5
    assert [json.loads(line)["v"] for line in whole[:2] + whole[3:]] == [1] * 4


def test_a_run_that_fails_to_be_written_down_at_its_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written = audit(file=str(path), required=True)
    written.begin(1, None, pytest.fail)
    path.unlink()
    path.mkdir()
    with pytest.raises(AuditError, match="it is a folder"):
        written.end(RESULT, None, pytest.fail)


def test_syslog_gets_datagrams() -> None:
    # A socket's path is short.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as syslog,
    ):
        path = f"{folder}/log"
        syslog.bind(path)
        syslog.settimeout(5)
        assert run(syslog=path) == []
        began, ended = syslog.recv(65_536).decode(), syslog.recv(65_536).decode()
        head, _, line = began.partition(": ")
        assert head == f"<14>vibekit-jupyter[{os.getpid()}]"
        assert json.loads(line)["vibekit.status"] == "started"
        assert json.loads(ended.partition(": ")[2])["vibekit.status"] == "done"
        syslog.close()
        (warned,) = run(syslog=path)
        assert warned.startswith(f"The audit's syslog {path} takes nothing: Connection refused.")


def test_the_longest_prompt_fits_into_a_datagram() -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as syslog,
    ):
        syslog.bind(f"{folder}/log")
        written = audit(syslog=f"{folder}/log", prompts=True)
        written.started = RunStarted("codex", "gpt-6", "code", "\U0001f600" * 1_000_000)
        written.begin(1, None, pytest.fail)
        line = syslog.recv(1_000_000).decode().partition(": ")[2]
        assert json.loads(line)["vibekit.prompt.chars"] == 1_000_000


def test_a_syslog_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=f"syslog {tmp_path}/log .*No such file"):
        run(syslog=f"{tmp_path}/log", required=True)


def test_one_place_that_fails_leaves_the_other_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    (warned,) = run(file=str(path), syslog=f"{tmp_path}/log")
    assert "syslog" in warned
    assert len(lines(path)) == 2


def test_a_run_is_a_span_of_what_the_site_has_set_up() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    assert run(spans=True) == []
    failed = dataclasses.replace(RESULT, status="failed")
    assert run(ModelStreamError(f"It broke off: {KEY}."), failed, spans=True) == []
    done, broken = spans.get_finished_spans()
    assert done.name == "invoke_agent codex"
    assert done.attributes is not None
    assert done.attributes["gen_ai.usage.output_tokens"] == 2
    assert done.attributes["vibekit.status"] == "done"
    assert done.attributes["gen_ai.conversation.id"] == "i1"
    assert "vibekit.prompt" not in done.attributes
    assert broken.status.status_code is StatusCode.ERROR
    assert KEY not in broken.to_json()
    assert "secret.csv" not in broken.to_json()


def test_nothing_is_written_where_no_site_says_so(tmp_path: Path) -> None:
    written = audit(file=str(tmp_path / "audit.jsonl"))
    written.settings = None
    written.begin(1, None, pytest.fail)
    written.end(RESULT, None, pytest.fail)
    assert list(tmp_path.iterdir()) == []
