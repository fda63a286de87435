#!/usr/bin/env python3
"""What the model relay adds to a request: beside the same program asking the same server itself.

One program asks in both places, in turns: on this machine, and in a sandbox through the relay. The
model server is a process of its own, as services are. Each round's median is taken, and the lowest
of the rounds: what else the machine does is no part of the relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from report import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.local_server import local_service
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.relay import Relay
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.settings.config import Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROUNDS = 10
EACH = 20
BOUND = 5.0  # milliseconds
# What is asked: a name, the size of the request, whether each has a connection of its own, and how
# many events its answer has.
CASES: tuple[tuple[str, int, bool, int], ...] = (
    ("50 kB", 50_000, True, 1),
    ("50 kB, connection kept", 50_000, False, 1),
    ("2 kB", 2_000, True, 1),
    ("2 kB, connection kept", 2_000, False, 1),
    ("streamed", 50_000, False, 20),
)
SERVER = r"""
import http.server, json, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    def log_message(self, *said):
        pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        head, self._headers_buffer = b"".join(self._headers_buffer) + b"\r\n", []
        events = int(asked["metadata"]["events"])
        for number in range(events):
            event = {"type": "word", "at": time.monotonic()}
            if number == events - 1:
                event |= {"type": "response.completed", "response": {"usage": {"input_tokens": 1}}}
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            data = head + b"%x\r\n%s\r\n" % (len(data), data)
            if number == events - 1:
                data += b"0\r\n\r\n"
            self.wfile.write(data)
            head = b""
            if number < events - 1:
                time.sleep(0.005)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
PROGRAM = r"""
import http.client, json, random, sys, time
host, token, size, anew, events, rounds = sys.argv[1].split("//")[1], *sys.argv[2:]
words = ["".join(random.choices("etaoinshrdlu", k=random.randrange(1, 9))) for _ in range(2000)]
text = " ".join(random.choices(words, k=int(size)))[: int(size)]
body = json.dumps({"model": "m", "stream": True, "input": text, "metadata": {"events": events}})
headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
took, first, further = [], [], []
connection = http.client.HTTPConnection(host)
for number in range(int(rounds) + 3):
    began = time.monotonic()
    if anew == "True":
        connection.close()
        connection = http.client.HTTPConnection(host)
    connection.request("POST", "/v1/responses", body, headers)
    answer = connection.getresponse()
    came = []
    while line := answer.readline():
        if line.startswith(b"data:"):
            came.append((time.monotonic(), json.loads(line[5:])))
    ended = time.monotonic()
    assert came[-1][1]["type"] == "response.completed", came
    if number >= 3:
        took.append(ended - began)
        first.append(came[0][0] - began)
        further += [at - event["at"] for at, event in came[1:]]
print(json.dumps([took, first, further]))
"""


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    """Run the model server; give its URL."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.terminate()


async def measure() -> Mapping[str, Sequence[list[float]]]:
    """Return the median milliseconds of each round, without and with the relay, for each figure."""
    found: dict[str, tuple[list[float], list[float]]] = {}

    def take(name: str, place: int, said: str) -> None:
        took, first, further = json.loads(said)
        kinds = {"": took} if not further else {", first event": first, ", further event": further}
        for kind, seconds in kinds.items():
            places = found.setdefault(f"{name}{kind}", ([], []))
            places[place].append(statistics.median(seconds) * 1000)

    with (
        tempfile.TemporaryDirectory() as home,
        local_service(Path(home)) as service,
        model_server() as url,
    ):
        sandbox = await Sandbox.create(service, timeout=600, metadata={}, internet=False)
        model = Model("codex", "m", f"{url}/v1", "key", "of the benchmark")
        async with Relay(sandbox, model, Limits(max_steps=100_000), None) as relay:
            await sandbox.write_file("/home/user/ask.py", PROGRAM.encode())
            for _ in range(ROUNDS):
                for name, size, anew, events in CASES:
                    words = f"{size} {anew} {events} {EACH if events == 1 else 4}"
                    command = [sys.executable, "-c", PROGRAM, url, "key", *words.split()]
                    take(name, 0, await asyncio.to_thread(subprocess.check_output, command))
                    ran = await sandbox.run(f"python3 ask.py {relay.url} {relay.token} {words}")
                    take(name, 1, ran.stdout)
        await kill(service, sandbox.id)
    return found


def main() -> int:
    """Measure, and say whether the bound holds."""
    before = os.getloadavg()[0]
    found = asyncio.run(measure())
    figures = [Figure("load of the machine before", before, "")]
    for name, (direct, relayed) in found.items():
        added = min(relayed) - min(direct)
        middle = statistics.median(relayed) - statistics.median(direct)
        figures += [
            Figure(f"{name}: asked directly", min(direct), "ms"),
            Figure(f"{name}: in a sandbox, through the relay", min(relayed), "ms"),
            Figure(f"{name}: added", added, "ms", BOUND),
            Figure(f"{name}: added in the middle round", middle, "ms"),
        ]
    return report("relay", figures)


if __name__ == "__main__":
    sys.exit(main())
