#!/usr/bin/env python3
"""What the model relay adds to a request: beside the same program asking the same server itself.

One program asks in both places, in turns: on this machine, and in a sandbox through the relay.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Figure, median, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.local_server import local_service
from tests.support.raw_server import EVENTS, RawServer, response
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.agents.relay import Relay
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.settings.config import Model

ROUNDS = 10
EACH = 20
BOUND = 5.0  # milliseconds
PROGRAM = """
import http.client, json, sys, time
host, token, rounds = sys.argv[1].split("//")[1], sys.argv[2], int(sys.argv[3])
body = json.dumps({"model": "m", "stream": True, "input": "x" * 50000})
headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
took = []
for _ in range(rounds + 3):
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host)
    connection.request("POST", "/v1/responses", body, headers)
    assert b"response.completed" in connection.getresponse().read()
    connection.close()
    took.append(time.perf_counter() - began)
print(json.dumps(took[3:]))
"""
ANSWER = b'data: {"type":"response.completed","response":{"usage":{"input_tokens":1}}}\n\n'


async def measure() -> tuple[list[float], list[float]]:
    """Return the seconds of requests without and with the relay."""
    direct: list[float] = []
    relayed: list[float] = []
    with (
        tempfile.TemporaryDirectory() as home,
        local_service(Path(home)) as service,
        RawServer(response(ANSWER, EVENTS)) as server,
    ):
        sandbox = await Sandbox.create(service, timeout=600, metadata={}, internet=False)
        model = Model("codex", "m", f"{server.url}/v1", "key", "of the benchmark")
        limits = Limits(max_steps=10_000)
        async with Relay(sandbox, model, limits, None) as relay:
            await sandbox.write_file("/home/user/ask.py", PROGRAM.encode())
            for _ in range(ROUNDS):
                command = [sys.executable, "-c", PROGRAM, server.url, "key", str(EACH)]
                ran = await asyncio.to_thread(subprocess.check_output, command)
                direct += json.loads(ran)
                said = await sandbox.run(f"python3 ask.py {relay.url} {relay.token} {EACH}")
                relayed += json.loads(said.stdout)
        await kill(service, sandbox.id)
    return direct, relayed


def main() -> int:
    """Measure, and say whether the bound holds."""
    direct, relayed = asyncio.run(measure())
    added = median(relayed) - median(direct)
    return report(
        "relay",
        [
            Figure("a request, asked directly", median(direct), "ms"),
            Figure("the same in a sandbox, through the relay", median(relayed), "ms"),
            Figure("added", added, "ms", BOUND),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
