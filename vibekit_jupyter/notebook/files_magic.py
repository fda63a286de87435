"""``%vibekit_files``: list, show, bring here, bring there and remove a sandbox's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope, no_var_expand

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.notebook.arguments import Command, argument, documented, split_words
from vibekit_jupyter.notebook.magic_errors import no_such_verb, plain_errors
from vibekit_jupyter.notebook.show import help_text, show

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from vibekit_jupyter.notebook.kernel_client import SyncClient

__all__ = ["COMMANDS", "FilesMagics"]

NAME: Final = "%vibekit_files"
SHOWN: Final = 1000
NAMED: Final = 5

SESSION: Final = argument("--session", completes="session", help="whose, else the current one's")
PATTERNS: Final = (
    "Patterns are *, ?, [a-z] and ** for any folders; what is hidden has to be named.\n"
    "A name keeps no folder above its first pattern: out/x.csv comes as x.csv,\n"
    "out as out/..., out/*/x as NAME/x."
)
COMMANDS: Final = {
    "list": Command(
        f"{NAME} list",
        "Show what there is as a tree; + and ~ mark what is new or changed since the last turn.",
        (
            argument("paths", nargs="*", metavar="PATTERN", help="only these; else the home"),
            SESSION,
        ),
    ),
    "show": Command(
        f"{NAME} show",
        "Show a file: a picture, a table, a page, a notebook, or text.",
        (argument("path", metavar="PATH", help="seen from the sandbox's home"), SESSION),
    ),
    "pull": Command(
        f"{NAME} pull",
        "Bring files here.",
        (
            argument("paths", nargs="+", metavar="PATTERN", help="files, folders, or patterns"),
            argument("--to", metavar="DIR", default=".", help="the folder here, else this one"),
            argument(
                "--force", action="store_true", help="write over what may have been changed here"
            ),
            SESSION,
        ),
        epilog=PATTERNS,
    ),
    "push": Command(
        f"{NAME} push",
        "Bring files of this machine into the sandbox.",
        (
            argument("paths", nargs="+", metavar="PATTERN", help="files, folders, or patterns"),
            argument("--to", metavar="DIR", default="", help="the folder there, else its home"),
            SESSION,
        ),
        epilog=PATTERNS,
    ),
    "rm": Command(
        f"{NAME} rm",
        "Remove files and folders of the sandbox; asks first.",
        (
            argument("paths", nargs="+", metavar="PATTERN", help="files, folders, or patterns"),
            argument("--yes", action="store_true", help="do not ask"),
            SESSION,
        ),
    ),
}


def overview() -> str:
    """Return the help on all verbs."""
    rows = [f"  {verb:<6} {command.description}" for verb, command in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {NAME} [VERB] [...]",
            "",
            "Files of the session's sandbox. Without a verb: list.",
            "",
            *rows,
            "",
            f"{NAME} VERB --help tells more of a verb.",
        ]
    )


@magics_class
class FilesMagics(Magics):
    """The magic for files."""

    shell: InteractiveShell

    @no_var_expand
    @needs_local_scope
    @line_magic
    @documented(overview)
    def vibekit_files(self, line: str, local_ns: Mapping[str, Any] | None = None) -> None:
        """List, show, bring and remove files."""
        words = split_words(line)
        if words == ["--help"]:
            show(self.shell, help_text(overview()))
            return
        verb, words = ("list", words) if not words or words[0][:1] == "-" else (words[0], words[1:])
        command = _command(verb)
        options = command.parse(words, {**self.shell.user_ns, **(local_ns or {})})
        if options.help:
            show(self.shell, help_text(command.help()))
            return
        from vibekit_jupyter.notebook import get_client

        with plain_errors(debug=options.debug):
            getattr(self, f"_{verb}")(get_client().sync, options)

    def _list(self, client: SyncClient, options: Namespace) -> None:
        from vibekit_jupyter.notebook.render.files import file_tree

        found = client.list_files(*options.paths, most=SHOWN, session=options.session)
        show(self.shell, file_tree(found))

    def _show(self, client: SyncClient, options: Namespace) -> None:
        from vibekit_jupyter.notebook.render.files import file_card, most_read

        path = options.path
        data, size = client.read_file(path, most=most_read(path), session=options.session)
        show(self.shell, file_card(path, data, size))

    def _pull(self, client: SyncClient, options: Namespace) -> None:
        from vibekit_jupyter.notebook.progress import ProgressLine
        from vibekit_jupyter.notebook.render.files import transfer_card

        client.loop.refuse_own_thread()
        line = ProgressLine(self.shell)
        pulling = client.vibekit.pull(
            *options.paths,
            to=options.to,
            force=options.force,
            session=options.session,
            on_progress=line.note,
        )
        line.follow(client.submit(pulling), lambda done: transfer_card(done, done.to))

    def _push(self, client: SyncClient, options: Namespace) -> None:
        from vibekit_jupyter.notebook.progress import ProgressLine
        from vibekit_jupyter.notebook.render.files import transfer_card
        from vibekit_jupyter.workbench.files.names import short

        client.loop.refuse_own_thread()
        line = ProgressLine(self.shell)
        pushing = client.vibekit.push(
            *options.paths, to=options.to, session=options.session, on_progress=line.note
        )
        line.follow(
            client.submit(pushing),
            lambda done: transfer_card(done, f"the sandbox's {short(done.to)}"),
        )

    def _rm(self, client: SyncClient, options: Namespace) -> None:
        from vibekit_jupyter.notebook.render import message

        paths = client.matching_files(*options.paths, session=options.session)
        if not options.yes and not _is_sure(paths):
            show(self.shell, message("Nothing was removed."))
            return
        client.remove_files(*paths, session=options.session)
        show(self.shell, message(f"Removed: {_names(paths)}."))


def _command(verb: str) -> Command:
    if verb not in COMMANDS:
        raise no_such_verb(NAME, verb, [*COMMANDS])
    return COMMANDS[verb]


def _is_sure(paths: Sequence[str]) -> bool:
    from vibekit_jupyter.notebook.render.text import visible

    try:
        answer = input(f"Remove {visible(_names(paths))} from the sandbox? [y/N] ")
    except (EOFError, StdinNotImplementedError):
        raise FilesError(
            "Nothing was removed: this frontend cannot ask.", hint="--yes removes without asking."
        ) from None
    return answer.strip().lower() in ("y", "yes")


def _names(paths: Sequence[str]) -> str:
    from vibekit_jupyter.workbench.files.names import short

    named = ", ".join(repr(short(path)) for path in paths[:NAMED])
    return f"{named} and {len(paths) - NAMED:,} more" if len(paths) > NAMED else named
