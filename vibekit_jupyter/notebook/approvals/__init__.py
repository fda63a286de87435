"""Questions before a tool changes something, asked in the cell that runs.

``person`` is who an agent asks: the question waits there for the cell. ``asking`` shows it, as a
``card`` with buttons where the page can answer while the cell waits, as a ``line`` elsewhere. The
card's other half, ``card.js``, lives in the browser.
"""

from __future__ import annotations

__all__: list[str] = []
