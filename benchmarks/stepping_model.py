"""A model server in a process of its own, whose model calls one command in each of its steps.

python benchmarks/stepping_model.py STEPS SECONDS COMMAND

Each answer takes so many seconds. It prints its URL, and ends with its standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.model_server import Disturbed, ModelServer, Stall
from vibekit_jupyter.demo_model.wire import Answer, Request, ToolCall

STEPS, SECONDS, COMMAND = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]


def answer(request: Request) -> Disturbed:
    """Call the tool until there are results enough."""
    done = sum(len(message.tool_results) for message in request.messages)
    call = ToolCall("run_command", {"command": COMMAND})
    going_on = Answer("I go on.", tool_calls=(call,) if done < STEPS else ())
    return Disturbed(going_on, Stall(1, SECONDS))


if __name__ == "__main__":
    with ModelServer(answer) as server:
        print(server.anthropic_url, flush=True)
        sys.stdin.read()
