"""``%config VibekitMagics`` and ``c.VibekitMagics``: some settings, as IPython users know them.

The traits are a view of the settings' table. What ``ipython_config.py`` says is the user's;
what is set later is this kernel's. Both are only written down here, and the client takes them
when it is made: loading the extension imports nothing for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics
from traitlets import Enum, Float, Int, TraitError, TraitType, Unicode, validate
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.settings.live import LiveSettings
    from vibekit_jupyter.settings.table import Setting

__all__ = ["SettingTraits", "show_in_traits", "take"]

NAMES = tuple(each.name for each in TABLE.values() if each.trait)

# One a process, as the client is: what ipython_config.py says, and what was set since.
_profile: dict[str, Any] = {}
_kernel: dict[str, Any] = {}


def _trait(each: Setting) -> TraitType[Any, Any]:
    trait: TraitType[Any, Any]
    if each.kind.choices:
        trait = Enum(each.kind.choices, None, allow_none=True, help=each.help)
    elif each.kind.number is not None:
        kind: Any = Int if each.kind.number is int else Float
        trait = kind(None, allow_none=True, help=each.help)
    else:
        trait = Unicode(None, allow_none=True, help=each.help)
    return trait.tag(config=True)


class SettingTraits(Magics):
    """The traits, of which None is not set.

    Attributes
    ----------
    refused
        What is wrong in ``ipython_config.py``, in a sentence each: it holds as not set.
    """

    # HasTraits collects what stands in the body of a class.
    locals().update({name: _trait(TABLE[name]) for name in NAMES})

    def __init__(self, shell: InteractiveShell) -> None:
        self._is_showing = False
        self.refused: list[str] = []
        super().__init__(shell, config=self._usable(shell))
        _profile.clear()
        _profile.update(
            {name: value for name in NAMES if (value := getattr(self, name)) is not None}
        )
        self.observe(self._note, names=list(NAMES))

    def _usable(self, shell: InteractiveShell) -> Config:
        """Return the shell's configuration without values of ours that are none of their kind."""
        said = shell.config.get(type(self).__name__, {})
        config = Config({type(self).__name__: dict(said)})
        traits = self.traits(config=True)
        for name, value in said.items():
            if name not in NAMES:
                continue  # traitlets warns of it, and names the nearest
            try:
                if isinstance(value, DeferredConfig):
                    value = value.get_value(traits[name])  # noqa: PLW2901  # of a command line
                traits[name]._validate(self, value)  # noqa: SLF001  # traitlets' own
                _check(name, value)
            except (TraitError, ValueError) as error:
                reason = error if isinstance(error, ConfigurationError) else _wrong(name)
                self.refused.append(
                    f"c.VibekitMagics.{name} in ipython_config.py is not used: {reason}"
                )
                del config[type(self).__name__][name]
        return config

    @validate(*NAMES)
    def _checked(self, proposal: Any) -> Any:
        try:
            _check(proposal.trait.name, proposal.value)
        except ConfigurationError as error:
            raise TraitError(str(error)) from error
        return proposal.value

    def _note(self, change: Any) -> None:
        if self._is_showing:
            return
        _kernel[change.name] = change.new
        from vibekit_jupyter.notebook import made_client

        if (client := made_client()) is not None:
            take(client.vibekit.layers)

    def show(self, values: Mapping[str, Any]) -> None:
        """Show what is set in this kernel, without setting it."""
        self._is_showing = True
        try:
            for name in NAMES:
                setattr(self, name, values.get(name))
        finally:
            self._is_showing = False


def _check(name: str, value: Any) -> None:
    """Raise ``ConfigurationError`` for what is none of its kind, or against the site's policy."""
    if value is None:
        return
    TABLE[name].kind.read(name, value)
    from pathlib import Path

    from vibekit_jupyter.settings.layers import HERE, resolve
    from vibekit_jupyter.settings.places import places

    resolve({}, places=places(Path.cwd())).settings.policy.check(name, value, HERE)


def _wrong(name: str) -> str:
    kind = TABLE[name].kind
    return f"it is to be {kind.words}."


def take(layers: LiveSettings) -> None:
    """Give a client what IPython's configuration says, and what was set since."""
    layers.profile = dict(_profile)
    given = dict(layers.given)
    for name, value in _kernel.items():
        if value is None:
            given.pop(name, None)
        else:
            given[name] = value
    _kernel.clear()
    model = given.pop("model", None)
    layers.given = given
    if model is not None:  # it is the model of the agent in use, and no other one's
        from vibekit_jupyter.settings.choices import agent_in_use

        agent = agent_in_use(layers.resolve().settings)
        layers.given = {**given, f"{agent}.model": model}


def show_in_traits(shell: InteractiveShell, layers: LiveSettings) -> None:
    """Have ``%config VibekitMagics`` show what was set in this kernel."""
    magics = shell.magics_manager.registry.get("VibekitMagics")
    if not isinstance(magics, SettingTraits):
        return
    agent = layers.resolve().settings.agent
    given = layers.given
    values = {**layers.profile, **given, "model": given.get(f"{agent}.model")}
    values["agent"] = None if given.get("agent") == "auto" else given.get("agent")
    magics.show({name: values.get(name) for name in NAMES})
