"""A run's cost is told where prices are configured, and wrong prices are told as such."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.results import Usage
from vibekit_jupyter.settings.prices import price_of

if TYPE_CHECKING:
    from pathlib import Path

PRICES = {
    "gpt-6-astra": {"input": 1.25, "cached": 0.125, "output": 10},
    "plain": {"input": 2, "output": 4},
}
USAGE = Usage(input=1_000_000, cached=400_000, output=100_000)


@pytest.mark.parametrize(("model", "dollars"), [("gpt-6-astra", 1.8), ("plain", 2.4)])
def test_cached_tokens_have_their_own_price_or_that_of_the_others(
    model: str, dollars: float
) -> None:
    price = price_of(model, {"VIBEKIT_PRICES": json.dumps(PRICES)})
    assert price is not None
    assert price.cost(USAGE) == pytest.approx(dollars)


def test_prices_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(PRICES))
    assert price_of("plain", {"VIBEKIT_PRICES": str(path)}) is not None


@pytest.mark.parametrize("environ", [{}, {"VIBEKIT_PRICES": ""}, {"VIBEKIT_PRICES": "{}"}])
def test_a_model_without_a_price_has_no_cost(environ: dict[str, str]) -> None:
    assert price_of("plain", environ) is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "/no/such/file.json",
        '{"plain": 3}',
        '{"plain": null}',
        '{"plain": {"input": 1}}',
        '{"plain": {"input": 1, "output": "2"}}',
        '{"plain": {"input": 1, "output": -2}}',
        '{"plain": {"input": 1, "output": true}}',
        '{"plain": {"input": 1, "output": Infinity}}',
        '{"plain": {"input": 1, "output": NaN}}',
        '{"plain": {"input": 1, "output": 2, "cache": 3}}',
    ],
)
def test_wrong_prices_are_an_error_that_shows_right_ones(text: str) -> None:
    with pytest.raises(ConfigurationError, match="VIBEKIT_PRICES") as caught:
        price_of("plain", {"VIBEKIT_PRICES": text})
    assert "input" in (caught.value.hint or "")
