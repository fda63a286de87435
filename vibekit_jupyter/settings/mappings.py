"""The constructor's mappings and the options of a call, as values by the table's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.kinds import known
from vibekit_jupyter.settings.table import TABLE
from vibekit_jupyter.settings.vendors import ACP_AGENTS, AGENTS

__all__ = ["asked", "check_options", "given"]

# What the constructor's mappings call some settings.
_TYPE: Final = "type"
_NAME: Final = "name"


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
    of = agent.get(_TYPE)
    of = of if of in AGENTS else ACP_AGENTS.get(str(of))
    if of is not None:  # another one has no model; using it says that it is unknown
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


def check_options(function: str, options: Mapping[str, Any]) -> None:
    """Raise ``TypeError``, as Python does, for what is no setting of a run."""
    for name in options:
        if name not in TABLE or not TABLE[name].run:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def _read(name: str, value: Any) -> Any:
    kind = TABLE[name].kind
    # Looked at where they are used, and told there where they come from.
    used = (kinds.AGENT, kinds.TEXT, kinds.URL, kinds.DOMAIN, kinds.SECRET, kinds.PATH)
    if kind in used:
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
