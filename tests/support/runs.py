"""Runs to draw, as events."""

from __future__ import annotations

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    RunFinished,
    RunStarted,
    SessionReady,
    StepFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import CommandResult, FileChange, Usage

USAGE = Usage(input=5000, cached=4800, output=1100)


def beginning(session: str = "sales", *, demo: bool = False) -> list[Event]:
    """A run that has begun."""
    return [
        RunStarted("codex", "gpt-6-astra", "code", "Plot it", demo=demo),
        SessionReady("i7c1ab7e", session, created=True),
    ]


def command(
    text: str, stdout: str = "", stderr: str = "", *, exit_code: int = 0, call_id: str = "c"
) -> list[Event]:
    """A command that ran."""
    outputs: list[Event] = []
    if stdout:
        outputs.append(CommandOutput(call_id, "stdout", stdout))
    if stderr:
        outputs.append(CommandOutput(call_id, "stderr", stderr))
    return [
        ToolCallStarted(call_id, "run_command", {"command": text}),
        *outputs,
        ToolCallFinished(
            call_id,
            "run_command",
            exit_code == 0,
            stdout + stderr,
            command=CommandResult(text, exit_code, stdout, stderr, 0.1),
            duration=0.1,
        ),
    ]


def written(path: str, lines: list[str], *, call_id: str = "w") -> list[Event]:
    """A file that was written."""
    diff = f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)
    return [
        ToolCallStarted(call_id, "write_file", {"path": path, "content": "\n".join(lines)}),
        ToolCallFinished(
            call_id,
            "write_file",
            True,  # noqa: FBT003  # the event's own order
            "written",
            change=FileChange(path, "created", diff, len(lines), 0),
        ),
    ]


def end(status: str = "done", error: str = "", *, steps: int = 4) -> RunFinished:
    """The end of a run."""
    return RunFinished(status, "i7c1ab7e", steps, USAGE, 12.3, error)  # type: ignore[arg-type]  # a word of Status


def whole_run() -> list[Event]:
    """A run with a bit of everything."""
    return [
        *beginning(),
        ThinkingDelta("I look at the columns first."),
        TextDelta("I'll read the **file** "),
        TextDelta("first."),
        *command("head -3 sales.csv", "day,revenue\n2024-01-01,12.5\n"),
        StepFinished(1, Usage()),
        *written("/home/user/plot.py", [f"line_{number} = {number}" for number in range(14)]),
        StepFinished(2, Usage()),
        *command("python plot.py\necho done", "10%\r20%\rdone\n", "\x1b[33mslow\x1b[0m\n"),
        *command("pytest -q", "1 failed\n", exit_code=1),
        TextDelta("It is in `revenue.png`."),
        end(),
    ]
