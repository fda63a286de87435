"""Options of magics that are settings, as the table has them, and what was typed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vibekit_jupyter.notebook.arguments import Argument, argument
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from vibekit_jupyter.settings.table import Setting

__all__ = ["OPEN", "lasting", "of_run", "options", "typed"]

OPEN = "default"
"""The word that leaves a choice open; a number's is 0, a text's an empty one."""


def lasting() -> Iterable[Setting]:
    """Return the settings that ``%vibekit_config`` has an option for, each option once."""
    return {each.option: each for each in TABLE.values() if each.option}.values()


def options(*, run: bool) -> tuple[Argument, ...]:
    """Return the options of a run, or those of ``%vibekit_config``."""
    return tuple(_option(each, run=run) for each in lasting() if each.run or not run)


def _option(each: Setting, *, run: bool) -> Argument:
    kind = each.kind
    words = kind.choices
    text = each.help if run or not each.open else f"{each.help}; {each.open}"
    if each.open and words and not run:
        words = (*words, OPEN)
    rest: dict[str, Any] = {"choices": words} if words else {"metavar": kind.metavar}
    if kind.number is not None:
        rest["type"] = kind.number
    if each.alone:
        rest |= {"nargs": "?", "const": each.alone}
    return argument(each.option, help=text, **rest)


def of_run(given: Namespace) -> dict[str, Any]:
    """Return the settings among the options of a run, as ``generate_code`` calls them."""
    return {each.key: getattr(given, _word(each)) for each in lasting() if each.run}


def _word(each: Setting) -> str:
    return each.option.removeprefix("--").replace("-", "_")


def typed(given: Namespace, agent: str) -> Iterator[tuple[str, Any, bool]]:
    """Yield what was typed: a setting's name, its value, and whether it is only taken back.

    Parameters
    ----------
    given
        The options, parsed.
    agent
        Whose the options of a model are.
    """
    for each in lasting():
        value = getattr(given, _word(each))
        if value is None:
            continue
        # One option stands for the setting of each agent.
        name = f"{agent}.{each.key}" if f"codex.{each.key}" in TABLE else each.name
        if value == "":
            yield name, None, True
        elif each.open and value in {OPEN, 0}:
            yield name, None, False
        elif each.kind is kinds.URL:  # looked at where it is used
            yield name, value, False
        elif each.kind in (kinds.SWITCH, kinds.FIELDS):
            yield name, each.kind.read(each.key, each.kind.parse(value)), False
        else:
            yield name, each.kind.read(each.key, value), False
