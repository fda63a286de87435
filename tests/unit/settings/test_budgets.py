"""What a site allows its users to spend, they can lower and not raise, in whatever way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from vibekit_jupyter.runs.spending import price_in
from vibekit_jupyter.settings.layers import resolve
from vibekit_jupyter.settings.places import Places
from vibekit_jupyter.settings.prices import no_price

if TYPE_CHECKING:
    from pathlib import Path

    from vibekit_jupyter.settings.config import Settings

SITE = "[budget]\nday = 5\nmonth = 50\n"
LISTED = "[prices.'gpt-6-*']\ninput = 10\noutput = 50\n"


def found(
    folder: Path, *sites: str, user: str = "", given: dict[str, Any] | None = None
) -> Settings:
    (folder / "user.toml").write_text(user)
    files = []
    for number, text in enumerate(sites):
        files.append(folder / f"{number}.toml")
        files[-1].write_text(text)
    places = Places(user=folder / "user.toml", sites=tuple(files))
    return resolve(given or {}, places=places, environ={}).checked()


def test_a_users_budget_lowers_a_sites_and_does_not_raise_it(tmp_path: Path) -> None:
    settings = found(tmp_path, SITE, user="[budget]\nday = 100\nmonth = 20")
    assert (settings.budget_day, settings.budget_month) == (5.0, 20.0)
    (note,) = settings.notes
    assert note == (
        f"budget.day is 100 (from {tmp_path}/user.toml); what stands before a site's file can only "
        f"lower it, so it stays 5 (from {tmp_path}/0.toml)."
    )


@pytest.mark.parametrize("value", [100.0, None])
def test_a_kernel_does_not_raise_a_sites_budget_nor_take_it_away(
    tmp_path: Path, value: float | None
) -> None:
    assert found(tmp_path, SITE, given={"budget.day": value}).budget_day == 5.0
    assert found(tmp_path, SITE, given={"budget.day": 1.0}).budget_day == 1.0


def test_a_folder_that_stands_before_the_sites_raises_nothing(tmp_path: Path) -> None:
    # As JUPYTER_CONFIG_PATH names one, or a Python environment of one's own.
    own = "[budget]\nday = 100\n[prices.'gpt-6-mini']\ninput = 0\noutput = 0\n"
    settings = found(tmp_path, own, SITE + LISTED)
    assert settings.budget_day == 5.0
    price = price_in(settings, "gpt-6-mini")
    assert price is not None
    assert price.input == 10


@drawn(st.lists(st.one_of(st.none(), st.floats(0.01, 99)), min_size=4, max_size=4))
def test_the_lowest_budget_from_the_site_on_holds(amounts: list[float | None]) -> None:
    import tempfile
    from pathlib import Path

    user, *sites = [
        "" if amount is None else f"[budget]\nday = {json.dumps(amount)}\n" for amount in amounts
    ]
    with tempfile.TemporaryDirectory() as folder:
        settings = found(Path(folder), *sites, user=user)
    assert settings.budget_day == min([one for one in amounts if one is not None], default=None)


@pytest.mark.parametrize(
    "site",
    [SITE + LISTED, LISTED + "[policy]\nmax_cost = 2", LISTED + "[policy]\n'budget.day' = 2"],
)
def test_under_a_sites_bound_prices_are_the_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    free = {"input": 0, "output": 0}
    monkeypatch.setenv("VIBEKIT_PRICES", json.dumps({"*": free, "gpt-6-mini": free}))
    user = "[prices]\n'gpt-6-mini' = {input = 0, output = 0}\nmine = {input = 0, output = 0}"
    kernel = {"prices": {"gpt-6-mini": free, "*": free}}
    settings = found(tmp_path, site, user=user, given=kernel)
    price = price_in(settings, "gpt-6-mini")
    assert price is not None
    assert (price.input, price.output) == (10, 50)
    assert price_in(settings, "mine") is None
    assert any("Prices are those of your administrator here" in note for note in settings.notes)
    error = no_price("mine", "a budget", is_fixed=settings.has_fixed_prices)
    assert "Ask your administrator for its price" in str(error)


def test_without_a_sites_bound_or_list_ones_own_prices_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = "[prices]\n'gpt-6-mini' = {input = 1, output = 2}"
    for site in (LISTED, SITE, ""):
        price = price_in(found(tmp_path, site, user=user), "gpt-6-mini")
        assert price is not None
        assert price.input == 1
    monkeypatch.setenv("VIBEKIT_PRICES", '{"gpt-6-mini": {"input": 3, "output": 3}}')
    price = price_in(found(tmp_path, LISTED, user=user), "gpt-6-mini")
    assert price is not None
    assert price.input == 3
