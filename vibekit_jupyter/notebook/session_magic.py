"""``%vibekit_session``: show, set, list and end sandbox sessions.

A verb is one function in this module: its docstring is its help, its arguments are those of
the line, and what it returns is shown.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)

from vibekit_jupyter.errors import SessionNotFoundError
from vibekit_jupyter.notebook.arguments import (
    Argument,
    Command,
    argument,
    documented,
    split_words,
)
from vibekit_jupyter.notebook.magic_errors import no_such_verb, plain_errors
from vibekit_jupyter.notebook.show import help_text, show
from vibekit_jupyter.sessions.state import STATES
from vibekit_jupyter.settings.kinds import bound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.kernel_client import SyncClient
    from vibekit_jupyter.notebook.show import Showable
    from vibekit_jupyter.results import CommandResult
    from vibekit_jupyter.sessions.session import Session

__all__ = ["VERBS", "SessionMagics", "Verb"]

NAME = "%vibekit_session"
LEFT = "It was the current session; now there is none."
# What lasts longer is said while it does.
SECONDS_UNSAID = 1.0
# How many sessions a list shows unasked.
SHOWN = 50
# How many turns of a conversation.
TURNS = 20


@dataclass(frozen=True)
class Verb:
    """A verb of the magic: how it is typed, and what it does."""

    command: Command
    run: Callable[..., Iterable[Showable]]


VERBS: dict[str, Verb] = {}


def verb(
    *arguments: Argument,
) -> Callable[[Callable[..., Iterable[Showable]]], Callable[..., Iterable[Showable]]]:
    """Make a function a verb, of its own name without the underscore."""

    def register(run: Callable[..., Iterable[Showable]]) -> Callable[..., Iterable[Showable]]:
        name = run.__name__.rstrip("_")
        VERBS[name] = Verb(Command(f"{NAME} {name}", run.__doc__ or "", arguments), run)
        return run

    return register


def _cards(*sessions: Session) -> Sequence[Showable]:
    from vibekit_jupyter.notebook.render import session_card

    return [session_card(session) for session in sessions]


def session_argument(**options: Any) -> Argument:
    """Describe the word that says which session."""
    return argument(
        "session",
        completes="session",
        help="its id, its name, or a unique beginning of one",
        **options,
    )


FORCE = argument(
    "--force", action="store_true", help="even while a run goes on in it, or if it is not yours"
)
NOT_MINE = argument("--force", action="store_true", help="even if it is not yours")


@verb(session_argument(nargs="?"))
def show_(client: SyncClient, *, session: str | None) -> Sequence[Showable]:
    """Show the current session, or another one."""
    from vibekit_jupyter.notebook.render import message

    found = client.show(session)
    if found is None:
        return [
            message(
                "There is no current session yet. The first %%vibekit cell creates one; "
                f"{NAME} list shows those there are, {NAME} set NAME goes on with one of them."
            )
        ]
    return _cards(found)


@verb(session_argument())
def set_(client: SyncClient, *, session: str) -> Sequence[Showable]:
    """Make a session the current one: the next prompt or command works in it."""
    from vibekit_jupyter.notebook.render import message, session_card

    found = client.find(session)
    if found.state == "gone":
        raise SessionNotFoundError(
            f"The session {found.name} is gone: its sandbox was killed or expired.",
            hint=f"{NAME} new creates another one.",
            session_id=found.id,
        )
    client.submit(client.vibekit.use(found)).wait()
    parts: list[Showable] = [session_card(dataclasses.replace(found, current=True))]
    if found.state == "unreachable":
        parts.append(message("It is set unchecked: the sandbox service does not answer just now."))
    return parts


@verb(
    argument("name", nargs="?", metavar="NAME", help="else it is called after the notebook"),
    argument("--project", completes="project", help="what it is filed under"),
    argument("--internet", action="store_true", help="let its commands reach the internet"),
    argument("--timeout", type=float, metavar="SECONDS", help="until it pauses by itself"),
    argument("--template", metavar="NAME", help="what its sandbox is made from"),
    argument(
        "--setup",
        metavar="COMMAND",
        help="run this, or what is in this file, in its sandbox and in each that replaces it",
    ),
)
def new(
    client: SyncClient,
    *,
    name: str | None,
    project: str | None,
    internet: bool,
    timeout: float | None,
    template: str | None,
    setup: str | None,
) -> Iterator[Showable]:
    """Create a session and make it the current one."""
    from vibekit_jupyter.notebook.render import command_card, session_card

    results: list[CommandResult] = []
    try:
        session = client.new(
            name,
            project=project,
            internet=internet,
            timeout=timeout,
            template=template,
            setup=_command(setup or ""),
            on_setup=results.append,
        )
    finally:
        yield from map(command_card, results)
    yield session_card(session)


def _command(text: str) -> str:
    """Return the command that is typed, or that is in the file of this name."""
    try:
        file = Path(text).expanduser()
        return file.read_text(encoding="utf-8") if file.is_file() else text
    except (OSError, ValueError, RuntimeError):  # no name of a file
        return text


@verb(
    argument("--project", completes="project", help="only those of this project"),
    argument("--all-users", action="store_true", help="everybody's sandboxes at the service"),
    argument("--state", choices=STATES, help="only those in this state"),
    argument("--limit", type=int, metavar="N", help=f"how many to show ({SHOWN})"),
    argument("--all", action="store_true", help="show all of them"),
)
def list_(
    client: SyncClient,
    *,
    project: str | None,
    all_users: bool,
    state: str | None,
    limit: int | None,
    all: bool,  # noqa: A002  # as it is typed
) -> Sequence[Showable]:
    """List the sessions, the last used first."""
    from vibekit_jupyter.notebook.render import message, session_list

    most = sys.maxsize if all else bound("limit", limit) or SHOWN
    # Of everybody's, one more than is shown tells whether there are more.
    asked = (most if all else most + 1) if all_users else None
    sessions = client.list(project=project, all_users=all_users, state=state, limit=asked)
    if not sessions and (project or state):
        return [message("There is no such session.")]
    parts: list[Showable] = [session_list(sessions[:most], users=all_users)]
    if (more := len(sessions) - most) > 0:
        how_many = "There are more" if all_users else f"{more:,} more"
        parts.append(message(f"{how_many}: {NAME} list --all, or --limit N."))
    return parts


@verb(session_argument(nargs="?"))
def restore(client: SyncClient, *, session: str | None) -> Sequence[Showable]:
    """Go on with the session that this notebook used last, or another one; say what was lost."""
    from vibekit_jupyter.notebook.render import command_card, message, session_card

    restored = client.restore(session)
    parts = [session_card(restored.session), *map(message, restored.notes)]
    return [*parts, command_card(restored.setup)] if restored.setup else parts


@verb(argument("name", help="its new name"), session_argument(nargs="?"), NOT_MINE)
def rename(
    client: SyncClient, *, name: str, session: str | None, force: bool
) -> Sequence[Showable]:
    """Give a session another name."""
    return _cards(client.rename(name, session, force=force))


@verb(session_argument(nargs="?"), FORCE)
def pause(client: SyncClient, *, session: str | None, force: bool) -> Sequence[Showable]:
    """Pause a session: its files stay, and its time stands still."""
    return _cards(client.pause(session, force=force))


@verb(session_argument(nargs="?"))
def resume(client: SyncClient, *, session: str | None) -> Sequence[Showable]:
    """Let a paused session run again; any prompt or command does so, too."""
    return _cards(client.resume(session))


@verb(
    argument("name", nargs="?", metavar="NAME", help="of the copy"),
    argument("--session", completes="session", help="what to copy, else the current one"),
    NOT_MINE,
)
def fork(
    client: SyncClient,
    *,
    name: str | None,
    session: str | None,
    force: bool,
) -> Iterator[Showable]:
    """Copy a session's files and conversation into a new one; the current one stays."""
    from vibekit_jupyter.notebook.render import message

    copying = client.submit(client.vibekit.fork(name, session, force=force))
    if copying.lasts(SECONDS_UNSAID):
        yield message("Copying the session's files. That takes a while where there are many.")
    yield from _cards(copying.wait())


@verb(session_argument(), argument("--force", action="store_true", help="even if it is alive"))
def forget(client: SyncClient, *, session: str, force: bool) -> Sequence[Showable]:
    """Take a session that is gone off the lists."""
    from vibekit_jupyter.notebook.render import message

    before = client.vibekit.current_session
    forgotten = client.forget(session, force=force)
    parts = [message(f"{forgotten.name} is forgotten.")]
    return [*parts, message(LEFT)] if forgotten.id == before else parts


@verb(session_argument(nargs="?"), FORCE)
def kill(client: SyncClient, *, session: str | None, force: bool) -> Sequence[Showable]:
    """End a session's sandbox. Its files are lost, its conversation stays readable."""
    from vibekit_jupyter.notebook.render import message, session_card

    before = client.vibekit.current_session
    killed = client.kill(session, force=force)
    parts: list[Showable] = [session_card(killed)]
    if killed.id == before:
        parts.append(message(LEFT))
    return parts


@verb(
    session_argument(nargs="?"),
    argument("--turn", type=int, metavar="N", help="only this one; -1 is the last"),
    argument("--all", action="store_true", help=f"show more than the last {TURNS}"),
    argument("--to", metavar="FILE", help="write it to a file: .md, .ipynb or .json"),
    argument(
        "--save",
        metavar="FILE",
        help="write the runs to a file (NAME.vibekit.json) that anybody who runs the notebook "
        "beside it with VIBEKIT_RERUN=never is shown",
    ),
    argument("--force", action="store_true", help="write over a file that is there"),
)
def history(
    client: SyncClient,
    *,
    session: str | None,
    turn: int | None,
    all: bool,  # noqa: A002  # as it is typed
    to: str | None,
    save: str | None,
    force: bool,
) -> Sequence[Showable]:
    """Show a session's conversation, or write it to a file."""
    from vibekit_jupyter.notebook import transcripts

    turns = client.history(session)
    if save is not None:
        return [transcripts.saved(turns, save, force=force)]
    if turn is not None:
        return [transcripts.one(turns, turn)]
    if to is None:
        return [transcripts.shown(turns, last=None if all else TURNS)]
    return [transcripts.written(turns, to, force=force)]


@verb(argument("port", type=int, help="where it listens"), session_argument(nargs="?"))
def open_(client: SyncClient, *, port: int, session: str | None) -> Sequence[Showable]:
    """Show in the cell what the session serves on a port."""
    from vibekit_jupyter.notebook.preview import PreviewCard

    return [PreviewCard(client.preview(port, session))]


@verb()
def pick(client: SyncClient) -> Sequence[Showable]:  # noqa: ARG001  # it has the kernel's client
    """Choose the current session from a list."""
    from vibekit_jupyter.notebook import picker

    return [picker()]


def overview() -> str:
    """Return the help on all verbs."""
    rows = [f"  {name:<10} {verb.command.description}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            f"usage: {NAME} [VERB] [...]",
            "",
            "Sandbox sessions. Without a verb: show.",
            "",
            *rows,
            "",
            f"{NAME} VERB --help tells more of one. $name or {{name}} stands for that string.",
        ]
    )


@magics_class
class SessionMagics(Magics):
    """The magic for sessions."""

    shell: InteractiveShell

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(overview)
    def vibekit_session(self, line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """Show, set, list and end sessions."""
        words = split_words(line)
        if words == ["--help"]:
            show(self.shell, help_text(overview()))
            return
        name, words = ("show", words) if not words or words[0][:1] == "-" else (words[0], words[1:])
        chosen = find_verb(name)
        options = chosen.command.parse(words, {**self.shell.user_ns, **(local_ns or {})})
        if options.help:
            show(self.shell, help_text(chosen.command.help()))
            return
        arguments = {k: v for k, v in vars(options).items() if k not in {"help", "debug"}}
        from vibekit_jupyter.notebook import get_client

        with plain_errors(debug=options.debug):
            for part in chosen.run(get_client().sync, **arguments):
                show(self.shell, part)


def find_verb(name: str) -> Verb:
    """Return the verb of this name, or raise ``UsageError``."""
    if name not in VERBS:
        raise no_such_verb(NAME, name, [*VERBS])
    return VERBS[name]
