"""The agents known by name: how each is started so that it asks the relay alone, and nobody else.

What differs between them is here: arguments, environment, a file, the names of their modes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vibekit_jupyter.agents.acp.launch import Found
    from vibekit_jupyter.settings.config import Model
    from vibekit_jupyter.settings.vendors import VendorName

__all__ = ["KNOWN", "AcpAgent", "acp_agent", "usual_surroundings"]

# The sandbox's home, as the protocol's services have it.
HOME: Final = "/home/user"
# Its adapter trusts what the working folder says of it: that folder is the home folder, and what
# stands there is replaced.
CODEX_HOME: Final = f"{HOME}/.codex"
GOOSE_ROOT: Final = f"{HOME}/.vibekit/goose"
# Agents that know it show what a command prints as it prints it.
SHOWS_OUTPUT: Final = {"_meta": {"terminal_output": True}}
CODEX_TOML: Final = """\
web_search = "disabled"
check_for_update_on_startup = false
[analytics]
enabled = false
[features]
plugins = false
apps = false
unbounded_connection_retries = false
"""
GEMINI_SETTINGS: Final = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"disableAutoUpdate": True},
}


@dataclass(frozen=True)
class Start:
    """What an agent needs to know to start.

    Attributes
    ----------
    own
        The program in the sandbox that an adapter starts; empty where it brings its own.
    """

    url: str
    token: str
    model: str
    approve: bool
    effort: str | None
    own: str


@dataclass(frozen=True)
class AcpAgent:
    """An agent that is a program in the sandbox.

    Attributes
    ----------
    name, title
        What it is called here, and by people.
    vendor
        Whose settings it takes: which service the relay asks, and which protocol that speaks.
    arguments
        After its program.
    surroundings
        Its environment and its files.
    modes
        Its own modes in which it asks nobody, and in which it asks; None where files say it.
    session
        What it is told beside of a session of its own.
    settings
        Paths of settings of its own, which may say that it asks nobody: where it is to ask, they
        are removed.
    is_told_effort
        Its surroundings say how much the model is to think; else it has an option for that, or
        nothing.
    lacks
        What does not work with it, as sentences.
    starts_slowly
        It takes several seconds of a processor's time before it says anything.
    """

    name: str
    title: str
    vendor: VendorName
    surroundings: Callable[[Start], tuple[Mapping[str, str], Mapping[str, str]]]
    arguments: Callable[[Start], tuple[str, ...]] = lambda _: ()
    modes: tuple[str | None, str | None] = (None, None)
    session: Callable[[Start], Mapping[str, Any]] = lambda _: {}
    settings: tuple[str, ...] = ()
    is_told_effort: bool = False
    capabilities: Mapping[str, Any] | None = None
    lacks: tuple[str, ...] = ()
    starts_slowly: bool = False

    def launch(
        self,
        found: Found,
        *,
        url: str,
        token: str,
        model: str,
        approve: bool = False,
        effort: str | None = None,
    ) -> Launch:
        """Return how it is started.

        Parameters
        ----------
        found
            Where the sandbox has it.
        url, token
            The relay's.
        model
            The model's name at the service.
        approve
            It is to ask before it acts.
        effort
            How much the model is to think; None leaves it as it is.
        """
        start = Start(url, token, model, approve, effort, found.own)
        environment, files = self.surroundings(start)
        return Launch(
            (*found.words, *self.arguments(start)),
            environment,
            files,
            tuple(mode for mode in (self.modes[approve],) if mode),
            effort=None if self.is_told_effort else effort,
            capabilities=self.capabilities or {},
            session=self.session(start),
            removed=self.settings if approve else (),
        )


def _claude(start: Start) -> tuple[Mapping[str, str], Mapping[str, str]]:
    environment = {
        "ANTHROPIC_BASE_URL": start.url,
        "ANTHROPIC_API_KEY": start.token,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "false",  # it is the model that is asked for them
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_MAX_RETRIES": "2",
        # Else it has no mode that asks nobody, for root.
        "IS_SANDBOX": "1",
        # Whatever it wants a model for, it has this one.
        "ANTHROPIC_MODEL": start.model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": start.model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": start.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": start.model,
        "ANTHROPIC_SMALL_FAST_MODEL": start.model,
        "CLAUDE_CODE_SUBAGENT_MODEL": start.model,
    }
    if start.own:
        environment["CLAUDE_CODE_EXECUTABLE"] = start.own
    return environment, {}


def _claudes_session(start: Start) -> Mapping[str, Any]:
    """What the files of its folder say is less than this; its CLAUDE.md is read all the same."""
    environment, _ = _claude(start)
    options: dict[str, Any] = {"settings": {"env": environment, "apiKeyHelper": ""}}
    if start.approve:
        only = ("PermissionRules", "Hooks", "McpServers")
        options["managedSettings"] = {f"allowManaged{each}Only": True for each in only}
        options["strictMcpConfig"] = True
    return {"_meta": {"claudeCode": {"options": options}}}


def _codex(start: Start) -> tuple[Mapping[str, str], Mapping[str, str]]:
    provider = {
        "name": "vibekit",
        "base_url": f"{start.url}/v1",
        "http_headers": {"x-api-key": start.token},
        "request_max_retries": 1,
        "stream_max_retries": 2,
    }
    config = {
        "model_provider": "vibekit",
        "model": start.model,
        "model_providers": {"vibekit": provider},
        "web_search": "disabled",
    }
    if start.effort:
        config["model_reasoning_effort"] = start.effort
    environment = {
        "NO_BROWSER": "1",
        "CODEX_HOME": CODEX_HOME,
        "MODEL_PROVIDER": "vibekit",
        "CODEX_CONFIG": json.dumps(config),
    }
    if start.own:
        environment["CODEX_PATH"] = start.own
    # What CODEX_CONFIG says comes after the program has asked its vendor's hosts.
    return environment, {f"{CODEX_HOME}/config.toml": CODEX_TOML}


def _goose(start: Start) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return {
        "GOOSE_PROVIDER": "openai",
        "GOOSE_MODEL": start.model,
        "OPENAI_HOST": start.url,
        "OPENAI_API_KEY": start.token,
        "GOOSE_DISABLE_KEYRING": "1",
        "GOOSE_PATH_ROOT": GOOSE_ROOT,
    }, {}


def _opencode(start: Start) -> tuple[Mapping[str, str], Mapping[str, str]]:
    permission = "ask" if start.approve else "allow"
    # Of a model that it does not know it believes that it sees nothing.
    about = {
        "attachment": True,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "options": {"reasoningEffort": start.effort} if start.effort else {},
    }
    config = {
        "autoupdate": False,
        "share": "disabled",
        "model": f"vibekit/{start.model}",
        "small_model": f"vibekit/{start.model}",
        "provider": {
            "vibekit": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": f"{start.url}/v1", "apiKey": start.token},
                "models": {start.model: {"name": start.model, **about}},
            }
        },
        "permission": {"bash": permission, "edit": permission},
    }
    off = ["AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD"]
    if start.approve:
        off.append("PROJECT_CONFIG")
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(config),
        **{f"OPENCODE_DISABLE_{name}": "1" for name in off},
    }, {}


def _gemini(start: Start) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return {
        "GOOGLE_GEMINI_BASE_URL": start.url,
        "GEMINI_API_KEY": start.token,
    }, {f"{HOME}/.gemini/settings.json": json.dumps(GEMINI_SETTINGS)}


def _geminis_arguments(start: Start) -> tuple[str, ...]:
    extensions = ("-e", "none") if start.approve else ()
    return ("--acp", "--skip-trust", "-m", start.model, *extensions)


KNOWN: Final[Mapping[str, AcpAgent]] = {
    agent.name: agent
    for agent in (
        AcpAgent(
            "claude-code",
            "Claude Code",
            "claude",
            _claude,
            modes=("bypassPermissions", "default"),
            capabilities=SHOWS_OUTPUT,
            starts_slowly=True,
            session=_claudes_session,
        ),
        AcpAgent(
            "codex-cli",
            "Codex CLI",
            "codex",
            _codex,
            modes=("agent-full-access", "read-only"),
            settings=(f"{CODEX_HOME}/rules",),
            is_told_effort=True,
            capabilities=SHOWS_OUTPUT,
            lacks=(
                "The first output of a slow command is not shown.",
                "With approvals a local sandbox runs those commands alone that its model asks for.",
            ),
        ),
        AcpAgent(
            "goose",
            "goose",
            "codex",
            _goose,
            lambda _: ("acp",),
            modes=("auto", "approve"),
            settings=(f"{GOOSE_ROOT}/config",),
            lacks=(
                "It shows no diffs of what it changes.",
                "It shows pictures to models alone that it knows.",
            ),
        ),
        AcpAgent(
            "opencode",
            "opencode",
            "codex",
            _opencode,
            lambda _: ("acp", "--pure"),
            is_told_effort=True,
            lacks=("It starts slowly, and takes half a gigabyte of memory.",),
            starts_slowly=True,
        ),
        AcpAgent(
            "gemini",
            "Gemini CLI",
            "gemini",
            _gemini,
            _geminis_arguments,
            modes=("yolo", "default"),
            settings=(f"{HOME}/.gemini/policies",),
            lacks=(
                "It starts slowly, and shows no output of its commands.",
                "It does not always find its session again: it is told then what was said before.",
            ),
            starts_slowly=True,
        ),
    )
}


def usual_surroundings(url: str, token: str, model: Model, *, approve: bool) -> Mapping[str, str]:
    """Return the environment in which any agent finds the relay: its own words, and the usual ones.

    Whoever starts one of the agents above by a command has it asked as if by its name.
    """
    protocol = "responses" if model.agent == "codex" else "messages"
    found = {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": token,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": token,
        "VIBEKIT_MODEL": model.name,
        "VIBEKIT_PROTOCOL": protocol,
    }
    start = Start(url, token, model.name, approve, None, "")
    for agent in KNOWN.values():
        if agent.vendor == model.agent:
            found |= agent.surroundings(start)[0]
    # A folder that has to be there; without it a program makes its own.
    found.pop("CODEX_HOME", None)
    return found


def acp_agent(name: str) -> AcpAgent | None:
    """Return the agent of a name; None where that is none of these."""
    return KNOWN.get(name)
