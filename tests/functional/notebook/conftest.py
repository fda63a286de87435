"""Kernels for the notebook's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension loaded, shared by a module; the demo model answers."""
    with Kernel(tmp_path_factory.mktemp("kernel") / "home") as kernel:
        assert kernel.run("%load_ext vibekit_jupyter").status == "ok"
        yield kernel
