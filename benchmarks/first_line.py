#!/usr/bin/env python3
"""From Enter to the first visible line of a ``%%vibekit`` cell, in a real kernel.

The first prompt of a kernel starts everything; the next one finds it there. The control is a
cell that prints a word, in the same kernel.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from report import Figure, compiled_in, median, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.kernel import Kernel

KERNELS = 5
PROMPT = "%%vibekit\nWhat can you do?"
VISIBLE = {"stream", "display_data", "execute_result", "error"}


def first_output(kernel: Kernel, code: str) -> float:
    """Run a cell to its end; return how many seconds passed before something was seen."""
    began = time.perf_counter()
    seen = 0.0
    for kind, content in kernel.outputs(kernel.begin(code)):
        if kind in VISIBLE and not seen:
            seen = time.perf_counter() - began
        if kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))
    return seen


def main() -> int:
    times: dict[str, list[float]] = {"control": [], "first": [], "next": []}
    # The server that the first kernel starts is there for the others.
    with tempfile.TemporaryDirectory() as folder, ExitStack() as kernels:
        for number in range(KERNELS + 1):
            kernel = kernels.enter_context(Kernel(Path(folder, "home"), compiled_in(Path(folder))))
            first_output(kernel, "%load_ext vibekit_jupyter")
            control = first_output(kernel, "print('word', flush=True)")
            first, following = first_output(kernel, PROMPT), first_output(kernel, PROMPT)
            kernel.shut_down()
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
