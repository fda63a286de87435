"""MCP servers in the settings: who may name them, what they may be, and where their keys stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.saving import with_values
from vibekit_jupyter.runs.redact import secrets_of
from vibekit_jupyter.settings import keys
from vibekit_jupyter.settings.layers import resolve
from vibekit_jupyter.settings.mcp import mcp_servers, servers_of, withheld
from vibekit_jupyter.settings.mcp_table import check_servers
from vibekit_jupyter.settings.places import Places

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-docs-0123456789abcdef"
URL = "https://mcp.example.org/mcp"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read here is not remembered for other tests."""
    monkeypatch.setattr(keys, "_secrets", set())


def places(tmp_path: Path, **files: str) -> Places:
    paths = {name: tmp_path / f"{name}.toml" for name in files}
    for name, text in files.items():
        paths[name].write_text(text)
    return Places(
        project=paths.get("project"),
        user=paths.get("user"),
        sites=(paths["site"],) if "site" in paths else (),
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no table"),
        ({str(n): {"url": URL} for n in range(11)}, "more than 10"),
        ({"Docs": {"url": URL}}, "name of an MCP server"),
        ({"a" * 21: {"url": URL}}, "name of an MCP server"),
        ({"a__b": {"url": URL}}, "name of an MCP server"),
        ({"docs": 3}, "no table"),
        ({"docs": {}}, "no URL"),
        ({"docs": {"url": "file:///etc/passwd"}}, "no URL"),
        ({"docs": {"url": "http://a:b"}}, "no URL"),
        ({"docs": {"url": "http://a b"}}, "no URL"),
        ({"docs": {"url": f"https://me:{KEY}@example.org"}}, "key in its URL"),
        ({"docs": {"url": URL, "command": ["x"]}}, "has no 'command'"),
        ({"docs": {"url": URL, "headers": {"X-Key": f"{KEY}\n"}}}, "cannot be sent"),
        ({"docs": {"url": URL, "key_file": 3}}, "no text"),
        ({"docs": {"url": URL, "key_command": "pass docs"}}, "no list of words"),
    ],
)
def test_what_is_no_server_is_refused_with_a_sentence_without_its_key(
    given: Any, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        check_servers(given)
    assert KEY not in str(caught.value)


def test_the_users_file_and_the_kernel_name_servers_together(tmp_path: Path) -> None:
    file = f'[mcp.docs]\nurl = "{URL}"\nheaders = {{ "Authorization" = "Bearer {KEY}" }}\n'
    resolution = resolve({"mcp": {"own": {"url": URL}}}, places=places(tmp_path, user=file))
    settings = resolution.checked()
    assert sorted(settings.mcp) == ["docs", "own"]
    docs = next(server for server in servers_of(settings) if server.name == "docs")
    assert docs.headers == (("Authorization", f"Bearer {KEY}"),)
    assert KEY in set(secrets_of(settings, {}))
    assert KEY not in repr(settings)
    assert KEY not in repr(docs)


def test_a_projects_file_names_none(tmp_path: Path) -> None:
    file = f'[tool.vibekit.mcp.docs]\nurl = "{URL}"\n'
    resolution = resolve({}, places=places(tmp_path, project=file))
    with pytest.raises(ConfigurationError, match="a project's file may not"):
        resolution.checked()
    assert not resolution.settings.mcp


def test_a_sites_policy_forbids_them(tmp_path: Path) -> None:
    given = {"mcp": {"docs": {"url": URL}}}
    resolution = resolve(given, places=places(tmp_path, site="[policy]\nmcp = false\n"))
    with pytest.raises(ConfigurationError, match="your administrator does not allow"):
        resolution.checked()
    assert resolve({}, places=places(tmp_path, site="[policy]\nmcp = false\n")).checked().mcp == {}


def test_the_site_itself_may_name_servers(tmp_path: Path) -> None:
    file = f'[mcp.docs]\nurl = "{URL}"\n'
    assert list(resolve({}, places=places(tmp_path, site=file)).checked().mcp) == ["docs"]


def test_an_agent_in_a_sandbox_gets_those_without_a_key(tmp_path: Path) -> None:
    file = (
        f'[mcp.open]\nurl = "{URL}"\nheaders = {{ "X-Team" = "data" }}\n'
        f'[mcp.keyed]\nurl = "{URL}"\nkey_file = "~/.keys/docs"\n'
        f'[mcp.headed]\nurl = "{URL}"\nheaders = {{ "Authorization" = "Bearer {KEY}" }}\n'
        f'[mcp.asked]\nurl = "{URL}?token={KEY}"\n'
    )
    settings = resolve({}, places=places(tmp_path, user=file)).checked()
    assert mcp_servers(settings) == [
        {
            "type": "http",
            "name": "open",
            "url": URL,
            "headers": [{"name": "X-Team", "value": "data"}],
        }
    ]
    assert withheld(settings) == ["keyed", "headed", "asked"]


def test_a_key_from_a_file_is_sent_and_remembered(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}-of-a-file\n")
    given = {"mcp": {"docs": {"url": URL, "key_file": str(key)}}}
    (server,) = servers_of(resolve(given).checked())
    assert server.headers == (("Authorization", f"Bearer {KEY}-of-a-file"),)
    assert f"{KEY}-of-a-file" in set(secrets_of(resolve({}).checked(), {}))


def test_a_server_that_is_saved_can_be_read_again(tmp_path: Path) -> None:
    text = with_values("# mine\n", {"mcp": {"docs": {"url": URL}}})
    assert resolve({}, places=places(tmp_path, user=text)).checked().mcp == {"docs": {"url": URL}}


def test_whether_a_person_is_asked_is_not_a_projects_to_say(tmp_path: Path) -> None:
    file = '[tool.vibekit]\napprove = "never"\n'
    resolution = resolve({"approve": "always"}, places=places(tmp_path, project=file))
    with pytest.raises(ConfigurationError, match="approve"):
        resolution.checked()
    assert resolution.settings.approve == "always"


def test_a_site_can_have_people_asked(tmp_path: Path) -> None:
    site = 'approve = "risky"\n[policy]\napprove = ["always", "risky"]\n'
    assert resolve({}, places=places(tmp_path, site=site)).checked().approve == "risky"
    with pytest.raises(ConfigurationError, match="approve is 'never'"):
        resolve({"approve": "never"}, places=places(tmp_path, site=site)).checked()
