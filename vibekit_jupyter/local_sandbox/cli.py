"""The command line: serve, status, list, stop, prune."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import socket
import sys
from pathlib import Path

from vibekit_jupyter.errors import ConfigurationError, VibeKitError
from vibekit_jupyter.home import vibekit_home

__all__ = ["main"]

KEY_VARIABLE = "VIBEKIT_SANDBOX_API_KEY"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vibekit_jupyter.local_sandbox", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a sandbox server")
    serve.add_argument("--root", type=Path, help="folder of the sandboxes")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=0, help="0 takes any free one")
    serve.add_argument("--state-file", type=Path, help="where clients find the URL and the key")
    serve.add_argument("--ready-fd", type=int, help="descriptor told once the server listens")
    serve.add_argument(
        "--confine", choices=["auto", "bubblewrap", "landlock", "none"], default="auto"
    )
    serve.add_argument("--idle-exit", type=float, default=1800.0, metavar="SECONDS")
    serve.add_argument(
        "--api-key-file", type=Path, help=f"file with the key (else {KEY_VARIABLE}, else random)"
    )
    return parser


def main() -> int:
    """Run one command; return the exit status."""
    arguments = _parser().parse_args()
    try:
        return _serve(arguments)
    except VibeKitError as error:
        print(error, file=sys.stderr)  # noqa: T201  a command line speaks by printing
        return 1


def _serve(arguments: argparse.Namespace) -> int:
    key = os.environ.pop(KEY_VARIABLE, "")
    # The zygote comes first: before threads, before heavy imports.
    from vibekit_jupyter.local_sandbox.nursery import Nursery

    nursery = Nursery()
    try:
        from vibekit_jupyter.local_sandbox.server import Settings, serve

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        home = vibekit_home()
        serve(
            Settings(
                root=arguments.root or home / "local-sandbox",
                state_file=arguments.state_file or home / f"server-{socket.gethostname()}.json",
                key=_key(key, arguments.api_key_file),
                host=arguments.host,
                port=arguments.port,
                ready_fd=arguments.ready_fd,
                confine=arguments.confine,
                idle_exit=arguments.idle_exit,
            ),
            nursery,
        )
    finally:
        nursery.close()
    return 0


def _key(given: str, file: Path | None) -> str:
    if file is not None:
        try:
            given = file.read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"The key file {file} cannot be read: {error}.") from error
    return given or f"e2b_{secrets.token_hex(20)}"
