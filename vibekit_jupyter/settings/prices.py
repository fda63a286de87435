"""What tokens cost, where a person has said so: vendors change their prices too often to know."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vibekit_jupyter.results import Usage

__all__ = ["Price", "price_of"]

VARIABLE = "VIBEKIT_PRICES"
HINT = 'It is JSON, or a file of it: {"MODEL": {"input": 1.25, "cached": 0.125, "output": 10}}.'


@dataclass(frozen=True)
class Price:
    """The price of a model's tokens, in dollars for a million.

    Attributes
    ----------
    input, output
        What goes in and was not cached, and what comes out.
    cached
        What goes in and was cached.
    """

    input: float
    cached: float
    output: float

    def cost(self, usage: Usage) -> float:
        """Return what these tokens cost, in dollars."""
        fresh = usage.input - usage.cached
        dollars = fresh * self.input + usage.cached * self.cached + usage.output * self.output
        return dollars / 1e6


def price_of(model: str, environ: Mapping[str, str] = os.environ) -> Price | None:
    """Return a model's price as ``VIBEKIT_PRICES`` has it, None where it has none.

    Raises
    ------
    ConfigurationError
        The variable holds something else than prices, or names a file that cannot be read.
    """
    prices = _prices(environ.get(VARIABLE, "").strip())
    return _price(model, prices[model]) if model in prices else None


def _prices(text: str) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        prices = json.loads(text if text[0] in "{[" else Path(text).expanduser().read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"The file that {VARIABLE} names cannot be read: {error.strerror}.", hint=HINT
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{VARIABLE} is not JSON.", hint=HINT) from error
    if not isinstance(prices, dict):
        raise ConfigurationError(f"{VARIABLE} is not a JSON object.", hint=HINT)
    return prices


def _price(model: str, entry: Any) -> Price:
    keys = set(entry) if isinstance(entry, dict) else set()
    if not {"input", "output"} <= keys <= {"input", "cached", "output"} or not all(
        type(dollars) in (int, float) and 0 <= dollars < math.inf for dollars in entry.values()
    ):
        raise ConfigurationError(f"{VARIABLE} has no valid price for {model}.", hint=HINT)
    return Price(entry["input"], entry.get("cached", entry["input"]), entry["output"])
