#!/usr/bin/env python3
"""From the moment an event is sent until a frontend has it, in a real kernel.

Every word, tool call and line of output tells when it was sent: one machine has one monotonic
clock. The frontend, here, is the client at the end of the kernel's socket. Runs are drawn at most
ten times a second, so an event may wait for its turn that long; what it takes beyond is bounded.
The control is what a person would write by hand: a cell that reads the same stream with the
vendor's SDK, and shows every event by itself.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from report import Figure, compiled_in, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.kernel import Kernel
from tests.support.model_server import Live, ModelServer, Reply
from vibekit_jupyter.demo_model.wire import WIRES, Answer, Event, Request, ToolCall
from vibekit_jupyter.notebook.render.display import INTERVAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EVENTS, CALLS = 200, 40
# Seconds between two events: they come at all moments between two redraws.
PACE = 0.023
CALL_PACE = 0.161
LONG = 2_000_000
BOUND = 50
KEY = "sk-proj-0123456789abcdef"  # long enough to be looked for in all that is told
LINE = "All work and no play makes an agent dull. " * 2 + "\n"
STAMP = re.compile(r"sent=(\d+\.\d{6})")
PRINTING = f"""\
exec python3 - <<'END'
import time
print({LINE!r} * {{lines}}, flush=True)
for _ in range({EVENTS}):
    print(f"sent={{{{time.monotonic():.6f}}}}", flush=True)
    time.sleep({PACE})
END
"""
BY_HAND = """
import openai
from IPython.display import HTML, display
text, handle = "", display(HTML(""), display_id=True)
for event in openai.OpenAI().responses.create(model="m", input="say 0", stream=True):
    if event.type == "response.output_text.delta":
        {show}
"""
PRINTED = "print(event.delta, end='', flush=True)"
UPDATED = "text += event.delta; handle.update(HTML(text))"


def stamp() -> str:
    """Return the time, as a word that the screen shows as it stands."""
    return f"sent={time.monotonic():.6f}"


async def words(before: int) -> AsyncIterator[bytes]:
    """Make a stream of words: so many characters at once, then one stamp after the other."""
    events = list(WIRES["openai"].events(Answer("."), "model"))
    at = next(n for n, event in enumerate(events) if event.data["type"].endswith("text.delta"))

    def delta(text: str) -> bytes:
        return Event({**events[at].data, "delta": text}).encode()

    for event in events[:at]:
        yield event.encode()
    for _ in range(before // (20 * len(LINE))):
        yield delta(LINE * 20)
    for _ in range(EVENTS):
        yield delta(f"{stamp()} ")
        await asyncio.sleep(PACE)
    for event in events[at:]:
        yield event.encode()


def script(request: Request) -> Reply:
    """Say stamps, call tools that are stamped, or run a command that prints them."""
    what, before = request.prompt.split()
    done = sum(len(message.tool_results) for message in request.messages)
    calls = {"say": 0, "print": 1}.get(what, CALLS)
    if done == calls:
        return Answer("Done.") if what in ("call", "print") else Live(lambda: words(int(before)))
    command = {
        "call": f": {stamp()}; sleep {CALL_PACE}",
        "print": PRINTING.format(lines=int(before) // len(LINE)),
        "work": f"yes {LINE.strip()!r} | head -n 40",
    }[what]
    return Answer(tool_calls=(ToolCall("run_command", {"command": command}),))


class Seen(NamedTuple):
    """How late each event was seen (in seconds), and when something new was drawn."""

    late: list[float]
    moments: list[float]

    @property
    def redraws(self) -> float:
        """How often something new was drawn, a second, until the end, which is drawn at once."""
        drawn = self.moments[:-1]
        return (len(drawn) - 1) / (drawn[-1] - drawn[0])


def watch(kernel: Kernel, code: str) -> Seen:
    """Run a cell to its end, as a frontend sees it."""
    late: dict[str, float] = {}
    moments: list[float] = []
    for kind, content in kernel.outputs(kernel.begin(code)):
        now = time.monotonic()
        if kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))
        data = content.get("data", {})
        shown = content.get("text") or data.get("text/html") or data.get("text/plain", "")
        new = [sent for sent in STAMP.findall(shown) if sent not in late]
        late.update({sent: now - float(sent) for sent in new})
        moments += [now] if new else []
    return Seen(list(late.values()), moments)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of them lies, in milliseconds."""
    return sorted(values)[math.ceil(share * len(values)) - 1] * 1000


def figures(what: str, seen: Seen, *, expected: int = EVENTS, drawn: bool = True) -> list[Figure]:
    """Return what was seen as figures; of what is drawn in turns, with their bounds."""
    worst = percentile(seen.late, 0.95)
    rows = [
        Figure(f"{what}: median", percentile(seen.late, 0.5), "ms"),
        Figure(f"{what}: 95th percentile", worst, "ms"),
        Figure(f"{what}: latest", percentile(seen.late, 1), "ms"),
    ]
    if drawn:
        beyond = max(0, worst - INTERVAL * 1000)
        rows += [
            Figure(f"{what}: 95th percentile beyond the redraws", beyond, "ms", most=BOUND),
            Figure(f"{what}: redraws a second", seen.redraws, "", most=1 / INTERVAL),
            Figure(f"{what}: not seen", expected - len(seen.late), "", most=0),
        ]
    return rows


def measure(kernel: Kernel) -> list[Figure]:
    """Return the figures of all kinds of events."""

    def run(prompt: str) -> Seen:
        return watch(kernel, f"%%vibekit --fresh\n{prompt}")

    watch(kernel, "%load_ext vibekit_jupyter")
    run("call 0")  # the first run starts everything
    return [
        *figures("by hand, printed", watch(kernel, BY_HAND.format(show=PRINTED)), drawn=False),
        *figures("by hand, updated", watch(kernel, BY_HAND.format(show=UPDATED)), drawn=False),
        *figures("words", run("say 0")),
        *figures("words after 2 MB of them", run(f"say {LONG}")),
        *figures("words after 40 commands", run("work 0")),
        *figures("tool calls", run("call 0"), expected=CALLS),
        *figures("output", run("print 0")),
        *figures("output after 2 MB of it", run(f"print {LONG}")),
    ]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ModelServer(script) as models:
        environment = {**models.environment, "OPENAI_API_KEY": KEY, **compiled_in(Path(folder))}
        with Kernel(Path(folder, "home"), environment) as kernel:
            measured = measure(kernel)
    return report("event_to_screen", measured)


if __name__ == "__main__":
    raise SystemExit(main())
