"""Loopback goes around proxies, and what a person set for others stays as it was."""

from __future__ import annotations

import os

import pytest

from vibekit_jupyter.sandbox.sdk import sdk_options
from vibekit_jupyter.settings.config import Service

LOCAL = Service("local@here", "local sandbox", "k", api_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"no_proxy": "gateway.corp"}, "gateway.corp,127.0.0.1,localhost"),
        ({"NO_PROXY": "gateway.corp"}, "gateway.corp,127.0.0.1,localhost"),
        ({"NO_PROXY": "a", "no_proxy": "b, a"}, "a,b,127.0.0.1,localhost"),
        ({"no_proxy": "*"}, "*"),
        ({"NO_PROXY": "localhost"}, "localhost,127.0.0.1"),
    ],
)
def test_both_names_say_what_either_said(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HTTPS_PROXY": "http://127.0.0.1:9", **before}.items():
        monkeypatch.setenv(name, value)
    sdk_options(LOCAL)
    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (after, after)


def test_without_a_proxy_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    sdk_options(LOCAL)
    assert "NO_PROXY" not in os.environ
