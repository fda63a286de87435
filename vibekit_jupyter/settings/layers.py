"""All layers of settings as one: what holds, where it comes from, and what is wrong with it.

Strongest first: a run's own options, this kernel, the environment, the project's file, the
user's, the site's, and what is built in. It is read anew whenever an operation begins.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.errors import ConfigurationError, VibeKitError
from vibekit_jupyter.settings import files, kinds
from vibekit_jupyter.settings.choices import vendor_of
from vibekit_jupyter.settings.config import BUILT_IN, Settings, settings_of
from vibekit_jupyter.settings.places import NOWHERE, Places
from vibekit_jupyter.settings.policy import NO_POLICY, Policy, combined
from vibekit_jupyter.settings.table import TABLE
from vibekit_jupyter.settings.vendors import ACP_AGENTS, OWN_AGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vibekit_jupyter.settings.files import File

__all__ = ["HERE", "Resolution", "resolve"]

HERE: Final = "as set here"
PROFILE: Final = "from ipython_config.py"
# Three ways to say one thing: the strongest layer that has one of them decides.
KEYS: Final = ("api_key", "key_file", "key_command")
_ENDS: Final = tuple(f".{key}" for key in KEYS)
AUDIT: Final = tuple(name for name, each in TABLE.items() if each.group == "audit")
# What everybody else can only lower where a site says it.
BUDGETS: Final = tuple(name for name, each in TABLE.items() if each.group == "budget")
# What a project's file can only lower.
BOUNDS: Final = frozenset(
    name for name, each in TABLE.items() if each.kind in (kinds.BOUND, kinds.DOLLARS)
)


@dataclass(frozen=True)
class Resolution:
    """What all layers together say.

    Attributes
    ----------
    settings
        What holds, as far as nothing is wrong.
    files
        Every file that was looked at, strongest first.
    errors
        What is wrong; ``checked`` raises the first.
    """

    settings: Settings
    files: Sequence[File] = ()
    errors: Sequence[VibeKitError] = ()

    def checked(self) -> Settings:
        """Return the settings, or raise what is wrong with them."""
        if self.errors:
            raise self.errors[0]
        return self.settings


@dataclass(frozen=True)
class _Layer:
    values: Mapping[str, Any]
    origin: Callable[[str], str]
    file: str = ""


def resolve(
    given: Mapping[str, Any],
    *,
    run: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    places: Places = NOWHERE,
    environ: Mapping[str, str] = os.environ,
) -> Resolution:
    """Read all layers.

    Parameters
    ----------
    given
        What was set in this kernel, by the table's names; None takes the setting's own default.
    run
        What one run asks for.
    profile
        What ``ipython_config.py`` says; it is the user's, before the user's file.
    places
        The files to look at.
    environ
        The environment.
    """
    read = list(_read(places))
    errors: list[VibeKitError] = [file.error for file in read if file.error]
    variables, wrong = _variables(environ)
    errors += wrong
    layers = [
        _Layer(run or {}, lambda _: HERE),
        _Layer(given, lambda _: HERE),
        _Layer(
            {name: value for name, (value, _) in variables.items()},
            lambda name: f"from {variables[name][1]}",
        ),
        *(_of_file(file) for file in read if file.layer == "project"),
        _Layer(profile or {}, lambda _: PROFILE),
        *(_of_file(file) for file in read if file.layer != "project"),
    ]
    try:
        policy = combined([rule for file in read for rule in file.rules])
    except ConfigurationError as error:
        errors.append(error)
        policy = NO_POLICY
    merged = _Merged(policy)
    for layer in reversed(layers):
        merged.add(layer)
    settings = merged.settings([warning for file in read for warning in file.warnings])
    errors += merged.errors
    errors += _conflicts(settings, merged.values)
    return Resolution(settings, read, errors)


def _read(places: Places) -> Iterator[File]:
    if places.project is not None:
        yield files.read(places.project, "project")
    if places.user is not None:
        yield files.read(places.user, "user")
    for path in places.sites:
        yield files.read(path, "site")


def _of_file(file: File) -> _Layer:
    return _Layer(file.values, lambda _: f"from {file.path}", file.layer)


def _variables(
    environ: Mapping[str, str],
) -> tuple[dict[str, tuple[Any, str]], list[VibeKitError]]:
    """Return what the environment says, and from which variables; an empty one says nothing."""
    found: dict[str, tuple[Any, str]] = {}
    errors: list[VibeKitError] = []
    for name, each in TABLE.items():
        variable = next((one for one in each.variables if environ.get(one)), None)
        if variable is None:
            continue
        text = environ[variable]
        if each.kind in (kinds.SECRET, kinds.URL, kinds.DOMAIN):  # looked at where they are used
            found[name] = (text, variable)
            continue
        try:
            found[name] = (each.kind.read(name, each.kind.parse(text.strip())), variable)
        except ConfigurationError as error:
            errors.append(ConfigurationError(f"{variable}: {error.message}", hint=error.hint))
    return found, errors


class _Merged:
    """The layers put together, from the weakest on."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._agent: str | None = None
        self._is_automatic = False
        # A model's name that is nobody's yet, and whose models were named more strongly since.
        self._model: tuple[Any, str] | None = None
        self._named: set[str] = set()
        self._notes: list[str] = []
        # A site's budgets and its list of prices, of the weakest of its files that has one: one
        # that stands before it may be the user's own folder.
        self._budgets: set[str] = set()
        self._prices: tuple[Any, str] | None = None
        self._secrets: set[str] = set()
        self._key_files: set[tuple[str, str]] = set()
        self.errors: list[VibeKitError] = []
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}

    def add(self, layer: _Layer) -> None:
        """Put a stronger layer on top."""
        self._note_secrets(layer.values)
        values = self._named_models(layer)
        for group in {name.partition(".")[0] for name in values if name.endswith(_ENDS)}:
            for key in KEYS:
                self._drop(f"{group}.{key}")
        if any(name in self.values for name in AUDIT):
            # What a site writes down is not for anybody else to say.
            values = {name: value for name, value in values.items() if name not in AUDIT}
        if values.get("prices") and layer.file == "site" and self._prices is None:
            self._prices = (values["prices"], layer.origin("prices"))
        for name in ("prices", "mcp"):
            if values.get(name):
                values[name] = {**(self.values.get(name) or {}), **values[name]}
        for name, value in values.items():
            origin = layer.origin(name)
            if self._may_set(layer, name, value, origin):
                self._set(name, value, origin)
            if layer.file == "site" and name in BUDGETS:
                self._budgets.add(name)

    def _note_secrets(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            kind = TABLE[name].kind if name in TABLE and value else None
            if kind is kinds.SECRET:
                self._secrets.add(str(value))
            elif kind is kinds.HEADERS:
                from vibekit_jupyter.settings.headers import secrets_in

                self._secrets.update(secrets_in(value.items()))
            elif kind is kinds.URL and "@" in str(value):
                said = str(value).partition("://")[2].rpartition("@")[0]
                self._secrets.update((said, said.partition(":")[2]))
            elif name.endswith(".key_file") and value:
                self._key_files.add((name, str(value)))

    def _named_models(self, layer: _Layer) -> dict[str, Any]:
        """Take who answers, and with which model, from what a layer says; return the rest."""
        values = dict(layer.values)
        self._add_agent(values, layer)
        if (model := values.pop("model", None)) is not None:
            # It is the model of the agent that this layer or a weaker one names.
            if (vendor := ACP_AGENTS.get(self._agent or "", self._agent)) is not None:
                self._set(f"{vendor}.model", model, layer.origin("model"))
            else:
                self._model = (model, layer.origin("model"))
                self._named.clear()
        return values

    def _may_set(self, layer: _Layer, name: str, value: Any, origin: str) -> bool:
        if name in self._budgets:
            return self._lowers(name, value, origin, "what stands before a site's file")
        if layer.file == "project" and name in BOUNDS:
            return self._lowers(name, value, origin, "a project's file")
        return True

    def _add_agent(self, values: dict[str, Any], layer: _Layer) -> None:
        agent, said = values.pop("agent", None), "agent"
        if agent in (None, "auto") and values.get("agent_command"):  # whoever gives it means it
            agent, said = OWN_AGENT, "agent_command"
        if agent == "auto":  # the weaker layers decide
            self._is_automatic = True
        elif agent is not None:
            self._agent = agent
            self._set("agent", agent, layer.origin(said))

    def _drop(self, name: str) -> None:
        self.values.pop(name, None)
        self.origins.pop(name, None)

    def _lowers(self, name: str, value: Any, origin: str, whose: str) -> bool:
        held = self.values.get(name, TABLE[name].default)
        if held is None or (value is not None and value <= held):
            return True
        self._notes.append(
            f"{name} is {'none' if value is None else f'{value:g}'} ({origin}); {whose} can only "
            f"lower it, so it stays {held:g} ({self.origins.get(name, BUILT_IN)})."
        )
        return False

    def _keep_prices(self) -> bool:
        """Take a site's prices alone where it bounds what runs cost; return whether that is so.

        With prices of one's own a bound would be one's own, too.
        """
        is_bound = self._budgets or any(map(self._policy.says, ("max_cost", *BUDGETS)))
        if self._prices is None or not is_bound:
            return False
        prices, origin = self._prices
        if self.values.get("prices") != prices:
            self._notes.append(
                f"Prices are those of your administrator here ({origin.removeprefix('from ')}): "
                "others are not used."
            )
        self._set("prices", prices, origin)
        return True

    def _set(self, name: str, value: Any, origin: str) -> None:
        default = TABLE[name].default if name in TABLE else None
        if value is None and default is not None:
            value, origin = default, BUILT_IN
        self.values[name] = value
        self.origins[name] = origin
        self._named.add(name)

    def settings(self, warnings: Sequence[str]) -> Settings:
        """Return what holds, with numbers as low as the policy has them."""
        if self._is_automatic and self._agent is None:
            self.values["agent"] = "auto"
        self._check_audit()
        if self._model is not None:
            agent = vendor_of(self._held(), self._agent or "")
            if f"{agent}.model" not in self._named:
                self._set(f"{agent}.model", *self._model)
        self._clamp()
        fixed = self._keep_prices()
        notes = (*self._notes, *warnings)
        return dataclasses.replace(
            self._held(),
            notes=notes,
            has_fixed_prices=fixed,
            secrets=frozenset(self._secrets),
            key_files=frozenset(self._key_files),
        )

    def _held(self) -> Settings:
        held = {name: value for name, value in self.values.items() if value is not None}
        return dataclasses.replace(settings_of(held), origins=self.origins, policy=self._policy)

    def _check_audit(self) -> None:
        """Leave out an audit that can be none: an error says so, and nothing runs."""
        said = {name: value for name, value in self.values.items() if name in AUDIT}
        try:
            settings_of(said)
        except ConfigurationError as error:
            origin = self.origins[next(iter(said))]
            self.errors.append(
                ConfigurationError(f"{error.message[:-1]} ({origin}).", hint=error.hint)
            )
            self.values = {name: self.values[name] for name in self.values.keys() - said.keys()}

    def _clamp(self) -> None:
        for name in self._policy.rules:
            if name not in TABLE or TABLE[name].kind.policy != "most":
                continue
            most = self._policy.most(name)
            value = self.values.get(name, TABLE[name].default)
            if value is not None and value <= most.allowed:
                continue
            if value is not None and self.origins.get(name, BUILT_IN) != BUILT_IN:
                self._notes.append(
                    f"{name} is {value:g}; your administrator allows {most.allowed:g} here "
                    f"({most.file})."
                )
            self._set(name, most.allowed, f"from {most.file}")


def _conflicts(settings: Settings, values: Mapping[str, Any]) -> Iterator[VibeKitError]:
    """Yield what the policy does not allow of what every operation uses."""
    for name in settings.policy.rules:
        if name not in TABLE or TABLE[name].group or name in _CHOSEN:
            continue
        try:
            settings.check(name, values.get(name, TABLE[name].default))
        except ConfigurationError as error:
            yield error


# They are looked at where they are chosen: what nobody set may come from a key that is there.
_CHOSEN: Final = {"agent", "model", "environment", "demo"}
