"""The command line of administrators."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from vibekit_jupyter.admin.found import (
    Filter,
    age_of,
    age_words,
    end,
    found,
    is_ours,
    label,
)
from vibekit_jupyter.errors import ConfigurationError, VibeKitError, printable
from vibekit_jupyter.services.local_sandbox import find_or_start
from vibekit_jupyter.settings.choices import choose_e2b
from vibekit_jupyter.settings.live import LiveSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vibekit_jupyter.sandbox.service import SandboxInfo
    from vibekit_jupyter.settings.config import Service

__all__ = ["main"]

COLUMNS = ("ID", "STATE", "AGE", "USER", "PROJECT", "NAME")
WIDEST = 40


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return its exit status."""
    arguments = _parser().parse_args(words)
    try:
        return asyncio.run(_list(arguments) if arguments.command == "list" else _reap(arguments))
    except VibeKitError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201 - its purpose
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vibekit_jupyter.admin",
        description="The sandboxes of all users at a service: E2B's by E2B_API_KEY, E2B_API_URL "
        "and E2B_DOMAIN, else this user's own server on this machine.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument("--user", help="only this user's")
    which.add_argument("--project", help="only this project's")
    which.add_argument("--state", choices=("running", "paused"), help="only those")
    commands.add_parser("list", parents=[which], help="show them, the newest first").add_argument(
        "--older", metavar="AGE", help="only those made, or resumed, so long ago: 7d, 12h, 90m"
    )
    reap = commands.add_parser("reap", parents=[which], help="end them for good, with their files")
    reap.add_argument(
        "--older", metavar="AGE", required=True, help="made, or resumed, so long ago: 7d, 12h, 90m"
    )
    reap.add_argument("--yes", action="store_true", help="do not ask")
    return parser


async def _list(arguments: argparse.Namespace) -> int:
    _, _, ours, others = await _found(arguments)
    _table(ours)
    if others:
        _say(f"{others} more were not made by vibekit.")
    return 0


async def _reap(arguments: argparse.Namespace) -> int:
    service, meant, ours, _ = await _found(arguments)
    if not ours:
        _say("There is nothing to end.")
        return 0
    _table(ours)
    if not arguments.yes and not _is_sure(len(ours)):
        _say("Nothing was ended.")
        return 1
    ended = failed = 0
    for info in ours:
        try:
            became = await end(service, info, meant)
        except VibeKitError as error:
            became, failed = str(error), failed + 1
        ended += became == "ended"
        _say(f"{info.id}  {label(info, 'user')}  {became}")
    _say(f"{ended} of {len(ours)} ended{f', {failed} failed' if failed else ''}.")
    return 1 if failed else 0


async def _found(
    arguments: argparse.Namespace,
) -> tuple[Service, Filter, Sequence[SandboxInfo], int]:
    """Return the service, who is meant, those of ours, and how many others there are."""
    meant = Filter(
        arguments.user,
        arguments.project,
        arguments.state,
        age_of(arguments.older) if arguments.older else None,
    )
    service = choose_e2b(LiveSettings({}, "").current)
    if service is None:
        service = await asyncio.to_thread(find_or_start)
    _say(f"At {service.title}{f' ({service.api_url})' if service.api_url else ''}:")
    ours, others = [], 0
    async for info in found(service, arguments.user):
        if meant.fits(info):
            ours.append(info)
        others += not is_ours(info)
    return service, meant, ours, others


def _is_sure(count: int) -> bool:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "Nothing was ended: nobody can be asked here.", hint="--yes ends without asking."
        )
    plural = "es" if count > 1 else ""
    answer = input(f"End {count} sandbox{plural} for good, with the files in them? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _table(infos: Sequence[SandboxInfo]) -> None:
    rows = [COLUMNS] + [
        (
            info.id,
            info.state,
            age_words(info),
            *(label(info, name)[:WIDEST] for name in ("user", "project", "name")),
        )
        for info in infos
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        _say("  ".join(map(str.ljust, row, widths)).rstrip())


def _say(text: str) -> None:
    # Anybody can write a label.
    print(printable(text), flush=True)  # noqa: T201 - its purpose
