"""A run's cost is told where prices are configured, and wrong prices are told as such."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.results import Usage
from vibekit_jupyter.settings.config import read_settings
from vibekit_jupyter.settings.prices import check_prices, money, price_of

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


def a_price(dollars: float) -> dict[str, float]:
    return {"input": dollars, "output": dollars}


TABLE = {
    "gpt-6-*": a_price(2),
    "gpt-*": a_price(1),
    "*": a_price(9),
    "gpt-6-astra": a_price(3),
    "*-mini": a_price(4),
}


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("gpt-6-astra", 3),  # its own name
        ("gpt-6-astra-2", 2),  # of two wildcards, the one that says more
        ("gpt-5", 1),
        ("gpt-6-mini", 2),  # "gpt-6-" says more than "-mini"
        ("local:7b", 9),
    ],
)
def test_of_several_prices_that_match_the_most_specific_one_counts(
    model: str, dollars: float
) -> None:
    for table in (TABLE, dict(reversed(TABLE.items()))):
        price = price_of(model, {}, prices=table)
        assert price is not None
        assert price.input == dollars


def test_a_star_alone_is_a_wildcard() -> None:
    assert price_of("model-a", {}, prices={"model-?": a_price(1), "model-[a]": a_price(1)}) is None
    assert price_of("model-[a]-2", {}, prices={"model-[a]*": a_price(1)}) is not None
    assert price_of("GPT-6", {}, prices={"gpt-*": a_price(1)}) is None


def test_the_variable_is_stronger_than_the_table() -> None:
    environ = {"VIBEKIT_PRICES": json.dumps({"gpt-*": a_price(7)})}
    price = price_of("gpt-6-astra", environ, prices=TABLE)
    assert price is not None
    assert price.input == 7
    other = price_of("claude", environ, prices=TABLE)
    assert other is not None
    assert other.input == 9


@pytest.mark.parametrize(
    "wrong",
    [-1, "2", None, True, math.nan, math.inf, 10**400, [1], {"a": 1}],
    ids=lambda value: str(value)[:10],
)
@pytest.mark.parametrize("key", ["input", "cached", "output"])
def test_a_price_that_is_none_is_one_sentence_with_its_name(key: str, wrong: object) -> None:
    table = {"gpt-*": {**a_price(1), key: wrong}}
    for find in (lambda: price_of("gpt-6", {}, prices=table), lambda: check_prices(table)):
        with pytest.raises(ConfigurationError, match=rf"\[prices\] .*gpt-\*: {key} is ") as caught:
            find()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("table", [3, [], "x", {"m": 3}, {"m": {"input": 1}}, {"m": {"in": 1}}])
def test_what_is_no_table_of_prices_is_told_with_its_place(table: object) -> None:
    with pytest.raises(ConfigurationError, match=r"/etc/jupyter/vibekit\.toml, line 7"):
        check_prices(table, "/etc/jupyter/vibekit.toml, line 7")


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, "1", True, 10**400])
def test_a_bound_in_dollars_is_more_than_none(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="max_cost is ") as caught:
        money("max_cost", wrong)
    assert len(str(caught.value)) < 200
    with pytest.raises(ConfigurationError):
        read_settings({"type": "codex", "max_cost": wrong})


def test_a_bound_in_dollars_is_taken() -> None:
    assert read_settings({"type": "codex", "max_cost": 2}).max_cost == 2.0
    assert money("max_cost", None) is None
