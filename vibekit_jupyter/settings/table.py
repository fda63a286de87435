"""The table of settings: each is one entry here, and everything else is read off it.

That is the constructor's mappings, the magics' options, the environment's names, the keys of
the files, the traits, completion, and the table in the docs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.kinds import Kind, known
from vibekit_jupyter.settings.optional_fields import OPTIONAL_FIELDS
from vibekit_jupyter.settings.vendors import AGENTS, VENDORS

__all__ = [
    "LAYERS",
    "SWITCHES",
    "TABLE",
    "Layer",
    "Setting",
    "asked",
    "given",
    "rows",
    "setting",
]

Layer = Literal["kernel", "environment", "project", "user", "site"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)

FILES: Final = ("user", "site")
SITE: Final = ("site",)
PERSON: Final = ("kernel", *FILES)
ALL: Final = ("kernel", "project", *FILES)


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    name
        Its name everywhere: ``max_steps``; in a table of a file, ``codex.model``.
    kind
        What its values are.
    help
        What it does, in a few words.
    default
        What holds where nobody set it, None where that is decided when it is used.
    layers
        Who may set it, beside the environment where there are ``variables``.
    variables
        The environment's names for it; the first that says something is taken.
    run
        It is an option of a run, too: of ``%%vibekit`` and ``generate_code``.
    option
        What its option of ``%vibekit_config`` is called, empty without one.
    trait
        ``%config VibekitMagics`` has it, too.
    open
        What an option leaves it to where it is ``default`` or 0, empty where it cannot.
    """

    name: str
    kind: Kind
    help: str
    default: Any = None
    layers: tuple[str, ...] = ALL
    variables: tuple[str, ...] = ()
    run: bool = False
    option: str = ""
    trait: bool = False
    open: str = ""

    @property
    def group(self) -> str:
        """The table that it is in: ``codex``, ``e2b``, or empty."""
        return self.name.rpartition(".")[0]

    @property
    def key(self) -> str:
        """Its name in its table."""
        return self.name.rpartition(".")[2]

    @property
    def who(self) -> tuple[Layer, ...]:
        """Who may set it, strongest first."""
        named = {*self.layers, *(("environment",) if self.variables else ())}
        return tuple(layer for layer in LAYERS if layer in named)


def _of_agent(agent: str) -> Iterator[Setting]:
    """Yield the settings of one agent's model."""
    vendor = VENDORS[agent]  # type: ignore[index]  # one of AGENTS
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


def _audit() -> Iterator[Setting]:
    """Yield where runs are written down: the site says it."""
    yield Setting("audit.file", kinds.TEXT, "a file that lines are added to", layers=SITE)
    yield Setting("audit.syslog", kinds.TEXT, "a socket that lines go to", layers=SITE)
    for key, text in (
        ("spans", "runs are spans of OpenTelemetry"),
        ("prompts", "prompts are written down, too"),
        ("required", "a run that cannot be written down does not take place"),
    ):
        yield Setting(f"audit.{key}", kinds.SWITCH, text, default=False, layers=SITE)


def _key_sources(group: str, title: str) -> Iterator[Setting]:
    yield Setting(
        f"{group}.key_file", kinds.TEXT, f"the file that holds the key for {title}", layers=PERSON
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
        Setting("project", kinds.TEXT, "what new sessions are filed under"),
        *(each for agent in AGENTS for each in _of_agent(agent)),
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
            kinds.TEXT,
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

# What the constructor's mappings call some of them.
_TYPE: Final = "type"
_NAME: Final = "name"


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


def given(agent: Any = None, environment: Any = None) -> dict[str, Any]:
    """Return what the constructor's mappings say, by the settings' names.

    Raises
    ------
    ConfigurationError
        A key or a value that is not known. (An agent's name, credentials and URLs are not looked
        at here: using them raises ``AgentNotInitializedError``.)
    """
    agent = _mapping("agent", {_TYPE: agent} if isinstance(agent, str) else agent, _agent_keys())
    model = agent.get("model")
    model = _mapping(
        "agent['model']", {_NAME: model} if isinstance(model, str) else model, _model_keys()
    )
    environment = _mapping("environment", environment, kinds.ENVIRONMENT.choices)
    if len(environment) > 1:
        raise ConfigurationError("environment names both e2b and local.", hint="Name one.")
    e2b = _mapping("environment['e2b']", environment.get("e2b"), _keys_of("e2b"))
    _mapping("environment['local']", environment.get("local"), ())
    said = {
        "agent": agent.get(_TYPE),
        "environment": next(iter(environment), None),
        **{name: agent.get(name) for name in _agent_keys() if name in TABLE and name != "model"},
        **{f"e2b.{key}": value for key, value in e2b.items()},
    }
    if agent.get(_TYPE) in AGENTS:  # another one has no model; using it says that it is unknown
        of = agent[_TYPE]
        said |= {f"{of}.{'model' if key == _NAME else key}": model[key] for key in model}
    return asked(said)


def asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what options by the settings' names say; None says nothing.

    Raises
    ------
    ConfigurationError
        A value can be none of its kind.
    """
    return {name: _read(name, value) for name, value in options.items() if value is not None}


def _read(name: str, value: Any) -> Any:
    kind = TABLE[name].kind
    if kind in (kinds.AGENT, kinds.TEXT, kinds.URL, kinds.SECRET):
        return value
    if kind is kinds.MODE:
        return kinds.mode_name(value)
    if kind is kinds.EFFORT:
        return kinds.effort_name(value)
    return kind.read(TABLE[name].key, value)


def _agent_keys() -> tuple[str, ...]:
    own = (each.name for each in TABLE.values() if not each.group and "kernel" in each.layers)
    return (_TYPE, *(name for name in own if name not in {"agent", "environment", "project"}))


def _model_keys() -> tuple[str, ...]:
    return (_NAME, *(key for key in _keys_of("codex") if key != "model"))


def _keys_of(group: str) -> tuple[str, ...]:
    return tuple(each.key for each in TABLE.values() if each.group == group)


def _mapping(what: str, value: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{what} is {type(value).__name__}, not a mapping.")
    for key in value:
        if key not in keys:
            raise ConfigurationError(f"{what} has no {key!r}.", hint=known(str(key), keys))
    return value
