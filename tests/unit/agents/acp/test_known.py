"""Known agents are told of the relay alone, and have a mode in which they ask nobody."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from vibekit_jupyter.agents.acp.installed import in_folder
from vibekit_jupyter.agents.acp.known import KNOWN, acp_agent, usual_surroundings
from vibekit_jupyter.services.agent_recipes import NODE, RECIPES
from vibekit_jupyter.settings.config import AGENTS, AgentName, Model
from vibekit_jupyter.settings.home import AGENTS_SEEN
from vibekit_jupyter.settings.vendors import ACP_AGENTS

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.launch import Launch

URL, TOKEN = "http://127.0.0.1:4711", "token-of-this-turn"
FOLDERS = AGENTS_SEEN
each = pytest.mark.parametrize("name", KNOWN)


def told(name: str, *, approve: bool = False, folder: str = "") -> tuple[str, tuple[str, ...]]:
    launch = KNOWN[name].launch(
        in_folder(name, folder or f"{FOLDERS}/{RECIPES[name].folder}"),
        url=URL,
        token=TOKEN,
        model="the-model",
        approve=approve,
    )
    said = json.dumps([dict(launch.environment), dict(launch.files), list(launch.argv)])
    return said, tuple(launch.argv)


def test_every_known_agent_has_a_name_a_vendor_and_a_recipe() -> None:
    assert KNOWN.keys() == RECIPES.keys()
    assert all(ACP_AGENTS[name] == agent.vendor for name, agent in KNOWN.items())
    assert acp_agent("nobody") is None


@each
def test_an_agent_knows_the_relays_url_and_no_other(name: str) -> None:
    said, _ = told(name)
    assert TOKEN in said
    assert "the-model" in said
    assert set(re.findall(r"https?://[^\"/\\]+", said)) == {URL}


@each
def test_a_program_lies_where_sandboxes_see_it(name: str) -> None:
    _, argv = told(name)
    assert argv[0].startswith(f"{FOLDERS}/")
    if RECIPES[name].needs_node:
        assert argv[0] == f"{FOLDERS}/{NODE.folder}/{NODE.program}"
        assert argv[1] == f"{FOLDERS}/{RECIPES[name].folder}/{RECIPES[name].program}"


@pytest.mark.parametrize("name", ["claude-code", "codex-cli", "goose", "opencode"])
def test_ones_own_program_is_used_where_it_was_taken(name: str) -> None:
    said, argv = told(name, folder=f"{FOLDERS}/{name}-own")
    own = f"{FOLDERS}/{name}-own/bin/{RECIPES[name].command}"
    assert own in said
    assert RECIPES[name].needs_node or argv[0] == own


@each
def test_asking_and_not_asking_are_told_apart(name: str) -> None:
    launches = [
        KNOWN[name].launch(
            in_folder(name, "/f/x-1"), url=URL, token=TOKEN, model="m", approve=approve
        )
        for approve in (False, True)
    ]
    free, asks = ((launch.modes, str(launch.environment)) for launch in launches)
    assert free != asks


def test_where_it_is_to_ask_no_settings_in_the_sandbox_answer() -> None:
    def launched(name: str, *, approve: bool) -> Launch:
        found = in_folder(name, "/f/x-1")
        return KNOWN[name].launch(found, url=URL, token=TOKEN, model="m", approve=approve)

    for name in ("codex-cli", "goose", "gemini"):
        assert launched(name, approve=True).removed
        assert not launched(name, approve=False).removed
    for approve in (False, True):
        said = launched("claude-code", approve=approve).session["_meta"]["claudeCode"]["options"]
        assert said["settings"]["env"]["ANTHROPIC_BASE_URL"] == URL
        assert ("managedSettings" in said) == approve
    assert "none" in launched("gemini", approve=True).argv


@pytest.mark.parametrize("agent", AGENTS)
def test_by_a_command_an_agent_finds_the_relay_as_by_its_name(agent: AgentName) -> None:
    model = Model(agent, "the-model", "https://models.example/v1", "sk-secret", "a test")
    found = usual_surroundings(URL, TOKEN, model, approve=False)
    for name, known in KNOWN.items():
        if known.vendor == agent:
            by_name = known.launch(
                in_folder(name, "/f/x-1"), url=URL, token=TOKEN, model="the-model"
            ).environment
            assert by_name.keys() - found.keys() <= {"CODEX_HOME"}
            assert all(found[each] == value for each, value in by_name.items() if each in found)
    assert "sk-secret" not in str(found)
    assert "models.example" not in str(found)
