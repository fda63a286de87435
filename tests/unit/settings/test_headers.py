"""Headers for gateways: what can be sent, and what of it is a secret."""

from __future__ import annotations

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.config import read_settings
from vibekit_jupyter.settings.headers import headers_of, secrets_in

TOKEN = "eyJhbGciOiJIUzI1NiJ9.abc123.def456"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-A": "b\r\nX-Evil: 1"}, "value of the header 'X-A' cannot be sent"),
        ({"X-A": "b\n"}, "cannot be sent"),
        ({"X-A": " b"}, "cannot be sent"),
        ({"X-A": "grün"}, "cannot be sent"),
        ({"X-A": "a" * 9000}, "cannot be sent"),
        ({"X-A": 5}, "is int, not a text"),
        ({"X-A: b": "c"}, "cannot be the name of a header"),
        ({"X-A\r\nB": "c"}, "cannot be the name of a header"),
        ({"": "c"}, "cannot be the name of a header"),
        ({5: "c"}, "cannot be the name of a header"),
        ({"authorization": f"Bearer {TOKEN}"}, "carries the key.*api_key"),
        ({"X-API-Key": TOKEN}, "carries the key"),
        ({"Host": "evil"}, "the connection's own"),
        ({"Transfer-Encoding": "chunked"}, "the connection's own"),
        ({"X-A": "b", "x-a": "c"}, "there twice"),
        (["X-A"], "is list, not a mapping"),
        ("X-A: b", "is str, not a mapping"),
    ],
)
def test_what_cannot_be_sent_is_refused_without_its_value(headers: object, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        read_settings({"type": "codex", "model": {"headers": headers}})
    assert TOKEN not in str(caught.value)
    assert "Evil" not in str(caught.value)


def test_what_can_be_sent_is_kept_as_it_is() -> None:
    headers = {"X-Team": "analytics, group 7", "cf-aig-authorization": f"Bearer {TOKEN}"}
    assert headers_of(headers) == headers
    assert headers_of(None) == headers_of({}) == {}


def test_secrets_are_known_by_the_names_of_headers_and_by_their_looks() -> None:
    headers = {
        "cf-aig-authorization": f"Bearer {TOKEN}",
        "Ocp-Apim-Subscription-Key": "short-one",
        "X-Opaque": "0123456789abcdef0123456789abcdef",
        "X-Team": "analytics",
        "X-Url": "https://example.org",
        "X-Empty-Token": "",
    }
    assert set(secrets_in(headers.items())) == {
        f"Bearer {TOKEN}",
        TOKEN,
        "short-one",
        "0123456789abcdef0123456789abcdef",
    }


def test_headers_are_in_no_repr() -> None:
    settings = read_settings({"type": "codex", "model": {"headers": {"X-Gateway-Token": TOKEN}}})
    assert TOKEN not in repr(settings)
