#!/usr/bin/env python3
"""From Enter to the first visible line of a ``%%vibekit`` cell, in a real kernel.

The first prompt of a kernel starts everything; the next one finds it there. The control is a
cell that prints a word, in the same kernel.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from report import Figure, compiled_in, median, report

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
os.environ["PYTHONPATH"] = str(PROJECT)

from jupyter_client.manager import start_new_kernel  # noqa: E402  # the path comes first

from tests.support.notebooks import as_a_newcomer  # noqa: E402  # the path comes first

KERNELS = 5
PROMPT = "%%vibekit\nWhat can you do?"
VISIBLE = {"stream", "display_data", "execute_result", "error"}


def first_output(client: object, code: str) -> float:
    """Run a cell to its end; return how many seconds passed before something was seen."""
    began = time.perf_counter()
    message = client.execute(code)  # type: ignore[attr-defined]  # a client of jupyter_client
    seen = 0.0
    while True:
        output = client.get_iopub_msg(timeout=60)  # type: ignore[attr-defined]  # as above
        if output["parent_header"].get("msg_id") != message:
            continue
        if output["msg_type"] in VISIBLE and not seen:
            seen = time.perf_counter() - began
        if output["msg_type"] == "error":
            raise RuntimeError("\n".join(output["content"]["traceback"]))
        if output["msg_type"] == "status" and output["content"]["execution_state"] == "idle":
            return seen


def main() -> int:
    times: dict[str, list[float]] = {"control": [], "first": [], "next": []}
    with as_a_newcomer(), tempfile.TemporaryDirectory() as folder:
        os.environ.update(compiled_in(Path(folder)), VIBEKIT_DISPLAY="rich")
        for number in range(KERNELS + 1):
            manager, client = start_new_kernel(kernel_name="python3")
            try:
                first_output(client, "%load_ext vibekit_jupyter")
                control = first_output(client, "print('word', flush=True)")
                first, following = first_output(client, PROMPT), first_output(client, PROMPT)
            finally:
                client.stop_channels()
                manager.shutdown_kernel()
            if number:  # the first kernel compiled what was not compiled yet
                times["control"].append(control)
                times["first"].append(first)
                times["next"].append(following)
    return report(
        "first_line",
        [
            Figure("a cell that prints a word", median(times["control"]), "ms"),
            Figure("the first prompt of a kernel", median(times["first"]), "ms", most=100),
            Figure("the next prompt", median(times["next"]), "ms", most=100),
        ],
    )


if __name__ == "__main__":
    raise SystemExit(main())
