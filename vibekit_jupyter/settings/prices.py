"""What tokens cost, where a person has said so: vendors change their prices too often to know."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import ConfigurationError, printable, said

if TYPE_CHECKING:
    from vibekit_jupyter.results import Usage

__all__ = ["Price", "check_prices", "dollars", "money", "no_price", "price_of"]

VARIABLE = "VIBEKIT_PRICES"
HINT = 'It is JSON, or a file of it: {"MODEL": {"input": 1.25, "cached": 0.125, "output": 10}}.'
TABLE = "[prices]"
TABLE_HINT = (
    'In dollars for a million tokens: [prices."MODEL"] with input, output and, if it differs, '
    "cached; * in the name stands for anything."
)
# Dollars for a million tokens, and for anything that is bounded: more is a slip of the hand.
MOST = 1e9


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
        # A service may count wrongly, and no answer gives money back.
        cached = min(max(usage.cached, 0), max(usage.input, 0))
        fresh = max(usage.input, 0) - cached
        dollars = fresh * self.input + cached * self.cached + max(usage.output, 0) * self.output
        return dollars / 1e6


def price_of(
    model: str,
    environ: Mapping[str, str] = os.environ,
    *,
    prices: Mapping[str, Any] | None = None,
) -> Price | None:
    """Return a model's price, None where there is none.

    ``VIBEKIT_PRICES`` comes before the table. Of several names with a ``*`` that match, the one
    that says most of the model's name is taken.

    Parameters
    ----------
    prices
        The table ``[prices]`` of the settings.

    Raises
    ------
    ConfigurationError
        The price is none; or the variable holds something else than prices, or names a file that
        cannot be read.
    """
    layers = ((_prices(environ.get(VARIABLE, "").strip()), VARIABLE, HINT),)
    for table, where, hint in (*layers, (prices or {}, TABLE, TABLE_HINT)):
        if (name := _most_specific(model, table)) is not None:
            return _price(name, table[name], where, hint)
    return None


def check_prices(prices: Any, where: str = TABLE) -> Mapping[str, Mapping[str, float]]:
    """Return a copy of a table of prices, or raise ``ConfigurationError`` for what is none.

    Parameters
    ----------
    where
        Where it stands, as the beginning of a sentence.
    """
    if not isinstance(prices, Mapping):
        raise ConfigurationError(f"{where} is no table of prices.", hint=TABLE_HINT)
    for name, entry in prices.items():
        _price(name, entry, where, TABLE_HINT)
    return {name: dict(entry) for name, entry in prices.items()}


def money(name: str, value: Any) -> float | None:
    """Return a bound in dollars, or raise ``ConfigurationError``; None is not set."""
    if value is None:
        return None
    if not _is_amount(value) or value == 0:
        raise ConfigurationError(
            f"{name} is {said(value)}.", hint="It is in dollars, and more than none: 0.50."
        )
    return float(value)


def no_price(model: str, bound: str, *, is_fixed: bool = False) -> ConfigurationError:
    """Return the error of a model whose price is not known, under a bound that needs it.

    Parameters
    ----------
    is_fixed
        Only the site says prices.
    """
    return ConfigurationError(
        f"The price of {model} is not known here, and {bound} is set, which needs it.",
        hint="Ask your administrator for its price, or choose a model that has one."
        if is_fixed
        else f'Give it in dollars for a million tokens: [prices."{model}"] with input and output '
        f'in vibekit.toml, or {VARIABLE}=\'{{"{model}": {{"input": 1.25, "output": 10}}}}\'.',
    )


def dollars(amount: float) -> str:
    """Return an amount as a person would say it: ``$0.0042``, ``$0.12``, ``$3.40``."""
    return f"${amount:.4f}" if 0 < amount < 0.01 else f"${amount:.2f}"


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


def _most_specific(model: str, prices: Mapping[str, Any]) -> str | None:
    if model in prices:
        return model
    names = [name for name in prices if "*" in name and _matches(model, name)]
    # Where two say as much, the one that says it first; then any, but always the same.
    return max(
        names, key=lambda name: (len(name.replace("*", "")), name.index("*"), name), default=None
    )


def _matches(model: str, name: str) -> bool:
    # A star alone is a wildcard: names of models may have brackets and question marks.
    return fnmatch.fnmatchcase(model, re.sub(r"([\[?])", r"[\1]", name))


def _price(model: str, entry: Any, where: str, hint: str) -> Price:
    keys = set(entry) if isinstance(entry, Mapping) else set()
    what = f"{where} has no valid price for {printable(model[:80])}"
    if not {"input", "output"} <= keys <= {"input", "cached", "output"}:
        raise _wrong(f"{what}.", hint, model, *sorted(keys - {"input", "cached", "output"})[:1])
    for key, value in entry.items():
        if not _is_amount(value):
            raise _wrong(f"{what}: {key} is {said(value)}.", hint, model, key)
    return Price(entry["input"], entry.get("cached", entry["input"]), entry["output"])


def _wrong(sentence: str, hint: str, *entry: str) -> ConfigurationError:
    error = ConfigurationError(sentence, hint=hint)
    error.entry = entry
    return error


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= MOST
