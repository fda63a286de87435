"""An E2B-compatible sandbox server for this machine: serve, status, list, stop, prune."""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.errors import ConfigurationError, SandboxError, VibeKitError
from vibekit_jupyter.settings.home import claim_local_root, host_name, vibekit_home

if TYPE_CHECKING:
    from vibekit_jupyter.local_sandbox.levels import Limits

__all__ = ["main"]

KEY_VARIABLE = "VIBEKIT_SANDBOX_API_KEY"
ANSWER_SECONDS = 30.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vibekit_jupyter.local_sandbox", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a server")
    serve.add_argument("--root", type=Path, help="folder of the sandboxes")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0, help="0 (the default) takes any free one")
    serve.add_argument("--ready-fd", type=int, help="descriptor told once the server listens")
    serve.add_argument(
        "--confine",
        choices=["auto", "bubblewrap", "landlock", "none"],
        default="auto",
        help="auto (the default) takes the best level that works here",
    )
    serve.add_argument(
        "--idle-exit",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="end when nothing runs and nobody asks for so long (1800)",
    )
    serve.add_argument(
        "--disk-mib", type=int, default=10 * 1024, help="what all sandboxes may hold (10240)"
    )
    serve.add_argument("--log-file", type=Path, help="where it logs, rotated (else stderr)")
    serve.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="what a sandbox may use: processes, open_files; memory_mib, disk_mib, file_mib, files",
    )
    serve.add_argument("--api-key-file", type=Path, help=f"holds the key (else {KEY_VARIABLE})")
    status = commands.add_parser("status", help="show what the running server does")
    listing = commands.add_parser("list", help="list its sandboxes")
    stop = commands.add_parser("stop", help="end it; what runs is paused to its files")
    stop.add_argument("--force", action="store_true", help="also while commands run")
    prune = commands.add_parser("prune", help="kill paused sandboxes, for good")
    prune.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="only those so old"
    )
    for command in (serve, status, listing, stop, prune):
        command.add_argument(
            "--state-file", type=Path, help="where the server's URL and key are written"
        )
    return parser


def main() -> int:
    """Run one command; return the exit status."""
    arguments = _parser().parse_args()
    run = {"serve": _serve, "status": _status, "list": _list, "stop": _stop, "prune": _prune}
    try:
        run[arguments.command](arguments)
    except VibeKitError as error:
        _say(str(error), sys.stderr)
        return 1
    return 0


def _say(text: str, stream: Any = None) -> None:
    print(text, file=stream or sys.stdout)


def _state_file(arguments: argparse.Namespace) -> Path:
    given: Path | None = arguments.state_file
    return given or vibekit_home() / f"server-{host_name()}.json"


# -- serve -------------------------------------------------------------------------------


def _serve(arguments: argparse.Namespace) -> None:
    key = os.environ.pop(KEY_VARIABLE, "")
    if os.name != "posix":
        raise ConfigurationError(
            "The local sandbox server does not run on Windows.",
            hint="Use it under WSL2, or use E2B.",
        )
    # The zygote comes first: before threads, before heavy imports.
    from vibekit_jupyter.local_sandbox.nursery import Nursery

    nursery = Nursery()
    try:
        from vibekit_jupyter.local_sandbox.server import Settings, serve

        handler = _log(arguments.log_file)
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        serve(
            Settings(
                root=arguments.root or claim_local_root(),
                state_file=_state_file(arguments),
                key=_key(key, arguments.api_key_file),
                host=arguments.host,
                port=arguments.port,
                ready_fd=arguments.ready_fd,
                confine=arguments.confine,
                idle_exit=arguments.idle_exit,
                disk_mib=arguments.disk_mib,
                limits=_limits(arguments.limit),
            ),
            nursery,
        )
    finally:
        nursery.close()


def _limits(given: list[str]) -> Limits:
    from vibekit_jupyter.local_sandbox.levels import Limits

    try:
        pairs = (text.partition("=") for text in given)
        return Limits(**{name: int(number) for name, _is, number in pairs})
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{' '.join(given)} does not limit a sandbox.",
            hint="Write --limit NAME=NUMBER, as in --limit memory_mib=2048; --help has the names.",
        ) from error


def _log(file: Path | None) -> logging.Handler:
    from vibekit_jupyter.local_sandbox.log import bounded_log

    try:
        return bounded_log(file)
    except OSError as error:
        raise ConfigurationError(f"The log {file} cannot be written: {error.strerror}.") from error


def _key(given: str, file: Path | None) -> str:
    if file is not None:
        try:
            given = file.read_text().strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"The key file {file} cannot be read: {error}.") from error
    if not (given.isascii() and given.isprintable()):
        raise ConfigurationError(
            "The key of the sandbox server holds characters that no HTTP header carries.",
            hint="Use letters and digits.",
        )
    return given or f"e2b_{secrets.token_hex(20)}"


# -- asking a running server -------------------------------------------------------------


def _ask(arguments: argparse.Namespace, method: str, path: str) -> tuple[Any, dict[str, str]]:
    file = _state_file(arguments)
    try:
        state = json.loads(file.read_text())
        request = urllib.request.Request(  # noqa: S310  the URL is our own server's
            state["url"] + path, method=method, headers={"X-API-Key": state["key"]}
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"No sandbox server is known: {file} cannot be read.",
            hint="Start one with: python -m vibekit_jupyter.local_sandbox serve",
        ) from error
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=ANSWER_SECONDS) as answer:
            return json.loads(answer.read() or b"null"), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            message = json.loads(error.read() or b"{}").get("message", error.reason)
        raise SandboxError(str(message)) from error
    except OSError as error:
        raise ConfigurationError(
            f"The sandbox server at {state['url']} does not answer.",
            hint=f"If it is gone, remove {file}.",
        ) from error


def _status(arguments: argparse.Namespace) -> None:
    status, _headers = _ask(arguments, "GET", "/vibekit/server")
    _say(json.dumps(status, indent=2))


def _sandboxes(arguments: argparse.Namespace, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start: str | None = "0"
    while start is not None:
        page, headers = _ask(arguments, "GET", f"/v2/sandboxes?nextToken={start}{query}")
        found += page
        start = headers.get("x-next-token")
    return found


def _list(arguments: argparse.Namespace) -> None:
    for sandbox in _sandboxes(arguments):
        name = sandbox["metadata"].get("vibekit_name", "")
        told = (sandbox["sandboxID"], f"{sandbox['state']:7}", sandbox["startedAt"], name)
        _say("  ".join(told).rstrip())


def _stop(arguments: argparse.Namespace) -> None:
    _ask(arguments, "POST", f"/vibekit/server/stop{'?force=1' if arguments.force else ''}")
    _say("The sandbox server is ending.")


def _prune(arguments: argparse.Namespace) -> None:
    latest = time.time() - arguments.older_than * 86_400
    pruned = 0
    for sandbox in _sandboxes(arguments, "&state=paused"):
        if datetime.fromisoformat(sandbox["startedAt"]).timestamp() <= latest:
            _ask(arguments, "DELETE", f"/sandboxes/{sandbox['sandboxID']}")
            pruned += 1
    _say(f"Killed {pruned} paused sandbox{'' if pruned == 1 else 'es'}.")
