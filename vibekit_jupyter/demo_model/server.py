"""The demo model's HTTP server, on the standard library: it starts in a tenth of a second."""

from __future__ import annotations

import hmac
import json
import socketserver
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from vibekit_jupyter.demo_model.scripts import answer
from vibekit_jupyter.demo_model.wire import Answer, Request, Wire, wire_of

__all__ = ["DemoServer"]

MODEL = "demo"
MOST_BYTES = 64 * 1024**2
STREAM_SECONDS = 0.06


class DemoServer(socketserver.ThreadingTCPServer):
    """The demo model on a free port of 127.0.0.1, for those who know its key."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The base URL for Anthropic's SDK; OpenAI's wants ``/v1`` behind it."""
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    """One request. HTTP/1.0: the end of the connection is the end of the answer."""

    server: DemoServer
    timeout = 60.0
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        wire = self._admit()
        if wire is None:
            return
        if self._path() == "/v1/models":
            self._send(200, wire.models([MODEL]))
        else:
            self._refuse(wire, 404, f"The demo model knows no {self.path}.")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self._refuse(self._wire(), 413, "The request is too large for the demo model.")
            return
        # Read before anything is refused: a connection closed on unread bytes is reset, and
        # the refusal lost.
        body = self.rfile.read(int(length))
        wire = self._admit()
        if wire is None:
            return
        if self._path() != wire.PATH:
            self._refuse(wire, 404, f"The demo model knows no {self.path}.")
            return
        try:
            request = wire.parse(body, self._lower_headers())
        except (ValueError, KeyError, TypeError, AttributeError):
            self._refuse(wire, 400, "The demo model cannot read this request.")
            return
        self._reply(wire, request, answer(request))

    def _admit(self) -> Wire | None:
        """Let in who asks for this very server (no rebound name) and knows its key."""
        headers, wire = self._lower_headers(), self._wire()
        hosts = [f"{name}:{self.server.port}" for name in ("127.0.0.1", "localhost")]
        if headers.get("host") not in hosts:
            self._refuse(wire, 403, "The demo model answers on its loopback address only.")
        elif not hmac.compare_digest(wire.key(headers).encode(), self.server.key.encode()):
            self._refuse(wire, 401, "The demo model wants the key of the kernel it belongs to.")
        else:
            return wire
        return None

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _wire(self) -> Wire:
        return wire_of(self._path(), self._lower_headers())

    def _lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _reply(self, wire: Wire, request: Request, reply: Answer) -> None:
        if not request.stream:
            self._send(200, wire.document(reply, request.model))
            return
        events = [event.encode() for event in wire.events(reply, request.model)]
        self._head(200, "text/event-stream; charset=utf-8")
        self._write_paced(events)

    def _write_paced(self, events: list[bytes]) -> None:
        for event in events:
            self.wfile.write(event)
            time.sleep(STREAM_SECONDS / len(events))

    def _refuse(self, wire: Wire, status: int, message: str) -> None:
        self._send(status, wire.error(status, message))

    def _send(self, status: int, document: dict[str, Any]) -> None:
        self._head(status, "application/json")
        self.wfile.write(json.dumps(document).encode())

    def _head(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()

    def handle(self) -> None:
        """Serve the request; a client that hangs up has what it wants."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_args: Any) -> None:
        """Log nothing: prompts are nobody's business."""
