"""The table of settings: each is one entry here, and everything else is read off it.

That is the constructor's mappings, the magics' options, the environment's names, the keys of
the files, the traits, completion, and the table in the docs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.kinds import known
from vibekit_jupyter.settings.optional_fields import OPTIONAL_FIELDS
from vibekit_jupyter.settings.setting import LAYERS, Layer, Setting
from vibekit_jupyter.settings.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vibekit_jupyter.settings.vendors import VendorName

__all__ = [
    "LAYERS",
    "SWITCHES",
    "TABLE",
    "Layer",
    "Setting",
    "rows",
    "setting",
]


FILES: Final = ("user", "site")
SITE: Final = ("site",)
PERSON: Final = ("kernel", *FILES)


def _of_agent(agent: VendorName) -> Iterator[Setting]:
    """Yield the settings of one agent's model."""
    vendor = VENDORS[agent]
    yield Setting(
        f"{agent}.model",
        kinds.TEXT,
        f"the model that {agent} asks for",
        vendor.default_model,
        variables=(f"VIBEKIT_{agent.upper()}_MODEL",),
    )
    yield Setting(
        f"{agent}.base_url",
        kinds.URL,
        "where the vendor's protocol is spoken",
        vendor.default_url,
        PERSON,
        (vendor.url_variable,),
        option="--base-url",
    )
    yield Setting(
        f"{agent}.api_key",
        kinds.SECRET,
        f"the key for {vendor.title}",
        layers=("kernel",),
        variables=vendor.key_variables,
    )
    yield from _key_sources(agent, vendor.title)
    yield Setting(
        f"{agent}.without",
        kinds.FIELDS,
        "optional fields that the model service refuses, with commas between: "
        + ", ".join(OPTIONAL_FIELDS),
        layers=PERSON,
        run=True,
        option="--without",
    )
    yield Setting(
        f"{agent}.headers",
        kinds.HEADERS,
        "headers that a gateway wants, sent with each request",
        layers=PERSON,
    )


def _audit() -> Iterator[Setting]:
    """Yield where runs are written down: the site says it."""
    yield Setting("audit.file", kinds.PATH, "a file that lines are added to", layers=SITE)
    yield Setting("audit.syslog", kinds.PATH, "a socket that lines go to", layers=SITE)
    for key, text in (
        ("spans", "runs are spans of OpenTelemetry"),
        ("prompts", "prompts are written down, too"),
        ("required", "a run that cannot be written down does not take place"),
    ):
        yield Setting(f"audit.{key}", kinds.SWITCH, text, default=False, layers=SITE)


def _key_sources(group: str, title: str) -> Iterator[Setting]:
    yield Setting(
        f"{group}.key_file", kinds.PATH, f"the file that holds the key for {title}", layers=PERSON
    )
    yield Setting(
        f"{group}.key_command",
        kinds.ARGV,
        f"the program that prints the key for {title}, and its arguments",
        layers=PERSON,
    )


TABLE: Final[Mapping[str, Setting]] = {
    each.name: each
    for each in (
        Setting(
            "agent",
            kinds.AGENT,
            "who answers",
            variables=("VIBEKIT_AGENT",),
            run=True,
            option="--agent",
            trait=True,
        ),
        Setting(
            "agent_command",
            kinds.COMMAND,
            "starts an ACP agent of your own in the sandbox: the agent own",
            layers=PERSON,
            run=True,
            option="--agent-command",
        ),
        Setting(
            "model",
            kinds.TEXT,
            "the model's name at the vendor",
            run=True,
            option="--model",
            trait=True,
        ),
        Setting(
            "mode",
            kinds.MODE,
            "ask: look and answer, change nothing",
            "code",
            variables=("VIBEKIT_MODE",),
            run=True,
            option="--mode",
            trait=True,
        ),
        Setting(
            "approve",
            kinds.APPROVE,
            "ask before a tool changes something: always, or where it is risky",
            "never",
            PERSON,
            ("VIBEKIT_APPROVE",),
            run=True,
            option="--approve",
            trait=True,
            alone="always",
        ),
        Setting(
            "effort",
            kinds.EFFORT,
            "how hard the model thinks",
            variables=("VIBEKIT_EFFORT",),
            run=True,
            option="--effort",
            trait=True,
            open="default leaves it to the model",
        ),
        Setting(
            "max_steps",
            kinds.BOUND,
            "stop after so many answers of the model",
            50,
            variables=("VIBEKIT_MAX_STEPS",),
            run=True,
            option="--max-steps",
            trait=True,
        ),
        Setting(
            "max_tokens",
            kinds.BOUND,
            "stop after so many tokens, in and out",
            variables=("VIBEKIT_MAX_TOKENS",),
            run=True,
            option="--max-tokens",
            open="0 is no bound",
        ),
        Setting(
            "max_output_tokens",
            kinds.BOUND,
            "how long one answer may be",
            variables=("VIBEKIT_MAX_OUTPUT_TOKENS",),
            run=True,
            option="--max-output-tokens",
            open="0 leaves it to the vendor",
        ),
        Setting(
            "max_cost",
            kinds.DOLLARS,
            "stop before a call of the model that would cost more in all",
            variables=("VIBEKIT_MAX_COST",),
            run=True,
            option="--max-cost",
            trait=True,
            open="0 is no bound",
        ),
        Setting(
            "silence",
            kinds.SECONDS,
            "how long a model service may say nothing before the run fails",
            600.0,
            PERSON,
            option="--silence",
        ),
        Setting(
            "environment",
            kinds.ENVIRONMENT,
            "where sandboxes are",
            layers=PERSON,
            variables=("VIBEKIT_ENVIRONMENT",),
            option="--environment",
        ),
        Setting(
            "demo",
            kinds.SWITCH,
            "let the demo model answer",
            default=False,
            layers=PERSON,
            option="--demo",
        ),
        Setting(
            "on_exit",
            kinds.ON_EXIT,
            "what becomes of a kernel's sandboxes when it ends",
            "pause",
            PERSON,
        ),
        Setting(
            "queue",
            kinds.SECONDS,
            "how long to wait while the service makes no more sandboxes",
            120.0,
            PERSON,
        ),
        Setting(
            "timeout",
            kinds.LIFETIME,
            "how long a session's sandbox runs before it pauses",
            3600.0,
            PERSON,
        ),
        Setting("project", kinds.LABEL, "what new sessions are filed under"),
        *(each for agent in VENDORS for each in _of_agent(agent)),
        Setting(
            "e2b.api_key",
            kinds.SECRET,
            "the key for E2B",
            layers=("kernel",),
            variables=("E2B_API_KEY",),
        ),
        *_key_sources("e2b", "E2B"),
        Setting(
            "e2b.domain",
            kinds.DOMAIN,
            "the domain of an E2B cluster",
            layers=PERSON,
            variables=("E2B_DOMAIN",),
        ),
        Setting(
            "e2b.api_url",
            kinds.URL,
            "where the API of an E2B cluster is",
            layers=PERSON,
            variables=("E2B_API_URL",),
        ),
        Setting(
            "e2b.sandbox_url",
            kinds.URL,
            "where all sandboxes of an E2B cluster are reached",
            layers=PERSON,
            variables=("E2B_SANDBOX_URL",),
        ),
        Setting(
            "e2b.template",
            kinds.TEXT,
            "what E2B makes new sandboxes from",
            layers=PERSON,
            variables=("E2B_TEMPLATE",),
            option="--template",
        ),
        Setting(
            "e2b.request_timeout",
            kinds.SECONDS,
            "how long E2B may take for an answer",
            30.0,
            PERSON,
        ),
        Setting(
            "prices",
            kinds.PRICES,
            "what models cost, in dollars for a million tokens: input, output, cached",
            layers=PERSON,
        ),
        Setting(
            "mcp",
            kinds.MCP,
            "MCP servers whose tools agents may use: url, headers, key_file, key_command",
            layers=PERSON,
        ),
        Setting("budget.day", kinds.DOLLARS, "what one's runs may cost in a day", layers=PERSON),
        Setting(
            "budget.month", kinds.DOLLARS, "what one's runs may cost in a month", layers=PERSON
        ),
        *_audit(),
    )
}
"""All settings, by name, in the order in which they are shown."""

SWITCHES: Final[Mapping[str, str]] = {
    "internet": "sandboxes that reach the internet",
    "unconfined": "a model's commands on this machine without a wall",
    "rerun": "running a prompt again that is recorded",
    "insert": "code put into new cells",
    "private": "prompts kept out of a notebook's outputs",
}
"""What a policy can turn off beside the settings that are switches themselves."""


def setting(name: str) -> Setting:
    """Return the setting of this name.

    Raises
    ------
    ConfigurationError
        There is none; the nearest one is named.
    """
    if (found := TABLE.get(name)) is None:
        raise ConfigurationError(f"there is no setting {name[:60]!r}.", hint=known(name, TABLE))
    return found


def rows() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Yield the table for the docs: name, values, default, who may set it, variables, help."""
    for each in TABLE.values():
        default = "" if each.default is None else str(each.default)
        yield (
            each.name,
            each.kind.words,
            {"True": "true", "False": "false"}.get(default, default),
            ", ".join(each.who),
            ", ".join(each.variables),
            each.help,
        )
