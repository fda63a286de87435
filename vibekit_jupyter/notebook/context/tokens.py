"""How large a text is to a model, and how it is made smaller."""

from __future__ import annotations

from vibekit_jupyter.workbench.data.described import estimated_tokens

__all__ = ["cut", "estimated_tokens", "shortened"]


def cut(text: str, most: int, *, missing: int = 0) -> str:
    """Return a text of at most ``most`` tokens: of a longer one, the middle is left out.

    Parameters
    ----------
    missing
        How many characters were left out of its middle already.
    """
    if not missing and estimated_tokens(text) <= most:
        return text
    keep = min(len(text), 3 * most)
    while keep > 0:
        head, tail = text[: keep // 3], text[len(text) - (keep - keep // 3) :]
        left_out = len(text) - keep + missing
        shorter = f"{head}\n[{left_out:,} characters left out]\n{tail}"
        if estimated_tokens(shorter) <= most:
            return shorter
        keep = keep * 15 // 16 if keep > 16 else 0
    return ""


def shortened(text: str, most: int) -> str:
    """Return a text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
