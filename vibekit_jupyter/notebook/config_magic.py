"""``%vibekit_config``: which model and which sandbox service are used, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope, no_var_expand

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.notebook.arguments import Command, argument, documented, split_words
from vibekit_jupyter.notebook.magic_errors import UsageError, plain_errors
from vibekit_jupyter.notebook.setting_options import options, typed
from vibekit_jupyter.notebook.show import help_text, show
from vibekit_jupyter.notebook.traits import show_in_traits
from vibekit_jupyter.settings.checks import check_model_name
from vibekit_jupyter.settings.vendors import ACP_AGENTS, OWN_AGENT, VENDORS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.settings.live import LiveSettings
    from vibekit_jupyter.settings.vendors import VendorName

__all__ = ["VibekitConfigMagics", "command_of"]

NAME = "%vibekit_config"
# Those that are programs to install.
PROGRAMS = tuple(name for name in ACP_AGENTS if name not in ("demo-acp", OWN_AGENT))

# What a person typed is not repeated: it may be a key.
_REFUSAL = (
    "something does not belong on the line. A key never does, for a notebook keeps what is typed "
    f"in it: take it out of the cell, and type {NAME} key to be asked for it"
)

CONFIG = Command(
    NAME,
    "Show which model and which sandbox service are used, and why; or set them for this kernel.",
    (
        *options(run=False),
        argument("--sources", action="store_true", help="show every file that is looked at"),
        argument("--save", action="store_true", help="keep what is set in your own file"),
    ),
    usage=(
        "%(prog)s [OPTIONS]\n       %(prog)s key [--agent AGENT | --e2b]"
        "\n       %(prog)s agents [install NAME]"
        "\n       %(prog)s mcp add NAME URL | list | remove NAME"
        "\n       %(prog)s usage [--days N]"
    ),
    epilog="--agent says also whose model, URL and fields the other options are. An empty value\n"
    "('') takes a model, URL, template or fields back. What is set holds for this kernel; with\n"
    "--save it is written to your own file of settings, but for keys.",
    refusal=_REFUSAL,
)
KEY = Command(
    f"{NAME} key",
    "Ask for a key, and keep it in this kernel's memory only.",
    (
        argument("--agent", choices=[*VENDORS], help="the agent whose vendor it is for"),
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
MCP = Command(
    f"{NAME} mcp",
    "Name servers of tools (MCP over HTTP), which the agents of this kernel may use.",
    (
        argument("verb", choices=("add", "list", "remove"), help="what to do"),
        argument("server", nargs="?", metavar="NAME", help="what you call the server"),
        argument("url", nargs="?", metavar="URL", help="with add: where it is"),
        argument("--save", action="store_true", help="with add: keep it in your own file"),
    ),
    epilog="A key does not belong on the line: in your own file, a server has key_file,\n"
    "key_command or headers.",
    refusal=_REFUSAL,
)


AGENT_PROGRAMS = Command(
    f"{NAME} agents",
    "Show the agents that can run in sandboxes of this machine, or install one.",
    (
        argument("verb", nargs="?", choices=("list", "install"), help="what to do (list)"),
        argument("name", nargs="?", choices=PROGRAMS, metavar="NAME", help="the agent"),
        argument("--own", action="store_true", help="take the program that is on your PATH"),
    ),
    epilog="Packages come from npm and PyPI, of pinned versions and known bytes; they are kept in\n"
    "VIBEKIT_HOME/agents, which sandboxes can read and not write.",
    refusal=_REFUSAL,
)


def command_of(words: Sequence[str]) -> Command:
    """Return the command that the words of a line are for."""
    commands = {"agents": AGENT_PROGRAMS, "key": KEY, "mcp": MCP, "usage": USAGE}
    return commands.get(words[0] if words else "", CONFIG)


# IPython keeps magics by their class's name, and has a ConfigMagics of its own.
@magics_class
class VibekitConfigMagics(Magics):
    """The magic for settings."""

    shell: InteractiveShell

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(
        lambda: "\n".join(each.help() for each in (CONFIG, AGENT_PROGRAMS, KEY, MCP, USAGE))
    )
    def vibekit_config(self, line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """Show or change what is used."""
        words = split_words(line)
        command = command_of(words)
        if command is not CONFIG:
            words = words[1:]
        chosen = command.parse(words, {**self.shell.user_ns, **(local_ns or {})})
        if chosen.help:
            show(self.shell, help_text(command.help()))
            return
        from vibekit_jupyter.notebook import get_client
        from vibekit_jupyter.notebook.render import config_card, message, usage_card

        client = get_client()
        with plain_errors(debug=chosen.debug):
            if command is AGENT_PROGRAMS:
                from vibekit_jupyter.notebook.agents_magic import agents

                agents(self.shell, client, chosen)
                return
            if command is USAGE:
                costs = client.usage(chosen.days)
                show(self.shell, usage_card(costs, client.budgets(), days=chosen.days))
                return
            layers = client.vibekit.layers
            if command is MCP:
                from vibekit_jupyter.notebook.mcp_servers import change, table

                layers.given = change(layers, chosen)
                show(self.shell, table(layers))
                if chosen.save:
                    from vibekit_jupyter.notebook.saving import save

                    show(self.shell, message(save(layers.given)))
                return
            if command is KEY:
                layers.given = with_key(layers, chosen.agent, e2b=chosen.e2b)
            else:
                layers.given = with_options(layers, chosen)
            show_in_traits(self.shell, layers)
            if command is CONFIG and chosen.sources:
                show(self.shell, config_card(client.sources()))
                return
            show(self.shell, config_card(client.configuration()))
            if command is CONFIG and chosen.save:
                from vibekit_jupyter.notebook.saving import save

                show(self.shell, message(save(layers.given)))


def with_options(layers: LiveSettings, options: Namespace) -> Mapping[str, Any]:
    """Return what is set in this kernel, with what was typed.

    Raises
    ------
    AgentNotInitializedError
        The URL is none.
    ConfigurationError
        A value is none of its kind, or the policy does not allow it.
    """
    from vibekit_jupyter.settings.choices import agent_to_ask, choose_model, vendor_of

    settings = layers.resolve().settings
    agent = vendor_of(settings, options.agent or settings.agent or "")
    given = dict(layers.given)
    changed = []
    for name, value, is_taken_back in typed(options, agent):
        if name.endswith(".model") and value is not None:
            check_model_name(value)
        changed.append(name)
        given[name] = value
        if is_taken_back:
            del given[name]
    if not changed:
        return given
    if options.agent_command is not None and not options.agent:
        given["agent"] = "auto"  # the command says whose it is
    settings = layers.resolve(given=given).checked()
    for name in changed:
        settings.check(name, given.get(name))
    if options.model:
        settings.check("model", options.model)
    if options.agent:
        agent_to_ask(settings)
    if options.base_url:
        choose_model(settings, agent, unlock=False)
    return given


def with_key(layers: LiveSettings, agent: VendorName | None, *, e2b: bool) -> Mapping[str, Any]:
    """Return what is set in this kernel, with a key that the person is asked for.

    Raises
    ------
    AgentNotInitializedError
        The key is malformed.
    ConfigurationError
        The frontend cannot ask.
    """
    from vibekit_jupyter.settings.choices import agent_in_use, choose_e2b, choose_model

    if agent and e2b:
        raise UsageError(f"{KEY.name}: --agent or --e2b, a key is for one of them")
    agent = agent or agent_in_use(layers.resolve().settings)
    vendor = VENDORS[agent]
    title, variable = ("E2B", "E2B_API_KEY") if e2b else (vendor.title, vendor.key_variables[0])
    name = f"{'e2b' if e2b else agent}.api_key"
    given = {**layers.given, name: _ask(title, variable)}
    settings = layers.resolve(given=given).checked()
    if e2b:
        choose_e2b(settings)
    else:
        choose_model(settings, agent)
    return given


def _ask(title: str, variable: str) -> str:
    import getpass

    try:
        return getpass.getpass(f"Key for {title}: ").strip()
    except (EOFError, StdinNotImplementedError):
        raise ConfigurationError(
            "This frontend cannot ask for a key.", hint=f"Set {variable} before the kernel starts."
        ) from None
