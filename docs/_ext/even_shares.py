"""Pages that run cells are dealt out evenly: those of one folder would all be one process's.

While cells run, Sphinx waits: there are two processes for each core, whatever ``-j`` says.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sphinx.util.parallel import make_chunks

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

AT_ONCE = 2 * (os.cpu_count() or 1)
# A kernel, its services and its imports take as long as so many cells.
START = 10


def setup(app: Sphinx) -> dict[str, Any]:
    """Order the pages before they are read."""
    app.parallel = max(app.parallel, AT_ONCE)
    app.connect("env-before-read-docs", deal_out)
    return {"parallel_read_safe": True}


def deal_out(app: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """Order the pages so that each of the shares that are read at once has as many cells."""
    shares: list[list[str]] = [[] for _ in make_chunks(pages, app.parallel)]
    sizes = [len(chunk) for chunk in make_chunks(pages, app.parallel)]
    work = {page: _work(env, page) for page in pages}
    for page in sorted(pages, key=lambda page: (-work[page], page)):
        free = [number for number, share in enumerate(shares) if len(share) < sizes[number]]
        # Those that begin at once come first.
        least = min(
            [number for number in free if number < app.parallel] or free,
            key=lambda number: sum(work[page] for page in shares[number]),
        )
        shares[least].append(page)
    pages[:] = [page for share in shares for page in share]


def _work(env: BuildEnvironment, page: str) -> int:
    text = env.doc2path(page).read_text(encoding="utf-8")
    cells = text.count('"cell_type": "code"') + text.count("{code-cell}")
    return START + cells if cells else 0
