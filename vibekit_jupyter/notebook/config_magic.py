"""``%vibekit_config``: which model and which sandbox service are used, and why."""

from __future__ import annotations

import dataclasses
import getpass
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope, no_var_expand

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.arguments import Command, argument, documented, split_words
from vibekit_jupyter.notebook.magic_errors import UsageError, plain_errors
from vibekit_jupyter.notebook.show import help_text, show
from vibekit_jupyter.settings.config import (
    AGENTS,
    EFFORTS,
    MODES,
    VENDORS,
    bound,
    seconds,
)
from vibekit_jupyter.settings.optional_fields import OPTIONAL_FIELDS, fields

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.settings.config import AgentName, Settings

__all__ = ["CONFIG", "KEY", "USAGE", "VibekitConfigMagics"]

NAME = "%vibekit_config"

# What a person typed is not repeated: it may be a key.
_REFUSAL = (
    "something does not belong on the line. A key never does, for a notebook keeps what is typed "
    f"in it: take it out of the cell, and type {NAME} key to be asked for it"
)

CONFIG = Command(
    NAME,
    "Show which model and which sandbox service are used, and why; or set them for this kernel.",
    (
        argument("--agent", choices=AGENTS, help="who answers; also whose options these are"),
        argument("--model", metavar="NAME", help="the model's name at the vendor"),
        argument("--base-url", metavar="URL", help="where the vendor's protocol is spoken"),
        argument("--mode", choices=MODES, help="ask: look and answer, change nothing"),
        argument(
            "--effort",
            choices=(*EFFORTS, "default"),
            help="how hard the model thinks; default leaves it to the model",
        ),
        argument(
            "--silence",
            type=float,
            metavar="SECONDS",
            help="how long a model service may say nothing before the run fails",
        ),
        argument(
            "--max-output-tokens",
            type=int,
            metavar="N",
            help="how long one answer may be; 0 leaves it to the vendor",
        ),
        argument(
            "--without",
            metavar="FIELDS",
            help="optional fields that the model service refuses, with commas between: "
            + ", ".join(OPTIONAL_FIELDS),
        ),
        argument("--environment", choices=("e2b", "local"), help="where sandboxes are"),
        argument("--template", metavar="NAME", help="what E2B makes new sandboxes from"),
        argument("--demo", choices=("on", "off"), help="let the demo model answer"),
    ),
    usage=(
        "%(prog)s [OPTIONS]\n       %(prog)s key [--agent AGENT | --e2b]"
        "\n       %(prog)s usage [--days N]"
    ),
    epilog="An empty value ('') takes a model, URL, template or fields back.",
    refusal=_REFUSAL,
)
KEY = Command(
    f"{NAME} key",
    "Ask for a key, and keep it in this kernel's memory only.",
    (
        argument("--agent", choices=AGENTS, help="the agent whose vendor it is for"),
        argument("--e2b", action="store_true", help="it is for E2B"),
    ),
    refusal=_REFUSAL,
)
USAGE = Command(
    f"{NAME} usage",
    "Show what your runs took and cost, by day (UTC), model and project.",
    (
        argument(
            "--days", type=int, default=30, metavar="N", help="how many, today among them (30)"
        ),
    ),
    refusal=_REFUSAL,
)


# IPython keeps magics by their class's name, and has a ConfigMagics of its own.
@magics_class
class VibekitConfigMagics(Magics):
    """The magic for settings."""

    shell: InteractiveShell

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(f"{CONFIG.help()}\n{KEY.help()}\n{USAGE.help()}")
    def vibekit_config(self, line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """Show or change what is used."""
        words = split_words(line)
        command = {"key": KEY, "usage": USAGE}.get(words[0] if words else "", CONFIG)
        if command is not CONFIG:
            words = words[1:]
        options = command.parse(words, {**self.shell.user_ns, **(local_ns or {})})
        if options.help:
            show(self.shell, help_text(command.help()))
            return
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.render import config_card, usage_card

        client = get_client()
        with plain_errors(debug=options.debug):
            if command is USAGE:
                costs = client.usage(options.days)
                show(self.shell, usage_card(costs, client.budgets(), days=options.days))
                return
            if command is KEY:
                settings = with_key(client.settings, options.agent, e2b=options.e2b)
            else:
                settings = with_options(client.settings, options)
            client.configure(settings)
            show(self.shell, config_card(client.configuration()))


def with_options(settings: Settings, options: Namespace) -> Settings:
    """Return the settings with what was typed.

    Raises
    ------
    AgentNotInitializedError
        The URL is none.
    ConfigurationError
        The silence or the bound is none, the name can be no model's, or there is no such field.
    """
    from vibekit_jupyter.settings.choices import choose_agent, choose_model, with_model

    changes: dict[str, Any] = {}
    if options.agent:
        changes["agent"] = options.agent
    if options.mode:
        changes["mode"] = options.mode
    if options.effort:
        changes["effort"] = None if options.effort == "default" else options.effort
    if options.silence is not None:
        changes["silence"] = seconds("silence", options.silence)
    if options.max_output_tokens is not None:
        changes["max_output_tokens"] = bound("max_output_tokens", options.max_output_tokens or None)
    if options.environment:
        changes["environment"] = options.environment
    if options.template is not None:
        changes["e2b"] = {**settings.e2b, "template": options.template or None}
    if options.demo:
        changes["demo"] = options.demo == "on"
    settings = dataclasses.replace(settings, **changes)
    agent = choose_agent(settings)
    model = {"name": options.model, "base_url": options.base_url}
    changes = {what: text or None for what, text in model.items() if text is not None}
    if options.without is not None:
        changes["without"] = fields(options.without)
    if changes:
        settings = with_model(settings, agent, **changes)
    if options.base_url:
        choose_model(settings, agent)
    return settings


def with_key(settings: Settings, agent: AgentName | None, *, e2b: bool) -> Settings:
    """Return the settings with a key that the person is asked for.

    Raises
    ------
    AgentNotInitializedError
        The key is malformed.
    ConfigurationError
        The frontend cannot ask.
    """
    from vibekit_jupyter.settings.choices import (
        choose_agent,
        choose_e2b,
        choose_model,
        with_model,
    )

    if agent and e2b:
        raise UsageError(f"{KEY.name}: --agent or --e2b, a key is for one of them")
    agent = agent or choose_agent(settings)
    if e2b:
        key = _ask("E2B", "E2B_API_KEY")
        settings = dataclasses.replace(settings, e2b={**settings.e2b, "api_key": key})
        choose_e2b(settings)
        return settings
    vendor = VENDORS[agent]
    settings = with_model(settings, agent, api_key=_ask(vendor.title, vendor.key_variables[0]))
    choose_model(settings, agent)
    return settings


def _ask(title: str, variable: str) -> str:
    try:
        return getpass.getpass(f"Key for {title}: ").strip()
    except (EOFError, StdinNotImplementedError):
        raise ConfigurationError(
            "This frontend cannot ask for a key.", hint=f"Set {variable} before the kernel starts."
        ) from None
