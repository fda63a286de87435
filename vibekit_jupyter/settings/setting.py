"""One setting of the table: what it is called, what its values are, and who may set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from vibekit_jupyter.settings.kinds import Kind

__all__ = ["LAYERS", "Layer", "Setting"]

Layer = Literal["kernel", "environment", "project", "user", "site"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
# Who may set most of them.
ALL: Final = ("kernel", "project", "user", "site")


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
    alone
        What its option means without a value, empty where it needs one.
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
    alone: str = ""

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
