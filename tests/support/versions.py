"""What the older of the supported versions cannot do; newer ones are held to it."""

from __future__ import annotations

import importlib.metadata
import inspect

import IPython
import pytest

__all__ = ["needs_ipython_8", "needs_subshells", "xfail_where_the_sdk_holds_output"]

IPYKERNEL = int(importlib.metadata.version("ipykernel").split(".")[0])

needs_ipython_8 = pytest.mark.xfail(
    IPython.version_info < (8, 6), reason="IPython 7 completes and times cells in ways of its own"
)
needs_subshells = pytest.mark.xfail(IPYKERNEL < 7, reason="ipykernel 6 has no subshells")


def xfail_where_the_sdk_holds_output(request: pytest.FixtureRequest) -> None:
    """Expect a failure with SDKs (2.45, 2.50) that hold all that a command prints."""
    from e2b.sandbox_async.commands.command import Commands

    if "retain_output" not in inspect.signature(Commands.run).parameters:
        request.applymarker(pytest.mark.xfail(reason="this SDK holds all that a command prints"))
