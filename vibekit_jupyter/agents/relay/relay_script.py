"""The relay's end in the sandbox: HTTP on 127.0.0.1 in, frames on standard output. No key is here.

One text for any Python from 3.8 on, with nothing installed. It decides nothing: whoever owns the
sandbox may change what it does, so that every bound stands in the kernel. When the kernel is gone,
it ends what the turn has left running.
"""

from __future__ import annotations

import base64
import http.server
import io
import json
import os
import queue
import select
import socket
import sys
import threading
import time

TYPE_CHECKING = False  # the import of typing is not worth its time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PIECE = 90 * 1024
# Bytes of an answer after which they are told to be taken; the kernel waits at four times that.
TOLD = 64 * 1024
AT_ONCE = 64
HEADERS = (
    *("authorization", "x-api-key", "x-goog-api-key", "content-encoding"),
    *("anthropic-version", "anthropic-beta", "openai-beta"),
)
MOST_HEADER = 4096
MOST_DRAINED = 1 << 23

# What goes out at once is written at once: each piece wakes three processes on its way.
output = io.BufferedWriter(io.FileIO(1, "wb", closefd=False), 1 << 18)
told = threading.Lock()
answers: dict[int, queue.Queue[Any]] = {}
places = threading.BoundedSemaphore(AT_ONCE)
numbers = iter(range(1, 1 << 62))
heard = [time.monotonic()]
# The numbers of the last line that was taken, and of the last one that is known to be.
last, acknowledged = [0], [0]


def tell(*frame: Any, more: bool = False) -> None:
    """Write a frame; where more is to come at once, it may go with that."""
    write(json.dumps(frame, separators=(",", ":")).encode(), more=more)


def tell_body(number: int, data: bytes) -> None:
    """Write a piece of a request: as it is where it is one line of text, as most are."""
    try:
        data.decode()
    except UnicodeDecodeError:
        plain = False
    else:
        plain = b"\n" not in data
    if plain:
        write(b"=%d %s" % (number, data), more=True)
    else:
        tell("body", number, base64.b64encode(data).decode(), more=True)


def write(line: bytes, *, more: bool) -> None:
    """Write a line, after what is to be said of the lines that were heard."""
    with told:
        if acknowledged[0] != last[0]:
            acknowledged[0] = last[0]
            output.write(b'["heard",%d]\n' % last[0])
        output.write(line + b"\n")
        if not more:
            output.flush()


class GoneError(Exception):
    """The client has hung up, or speaks no HTTP."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of an agent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 17

    def log_message(self, *said: Any) -> None:
        pass

    def serve(self) -> None:
        number = next(numbers)
        answer: queue.Queue[Any] = queue.Queue()
        answers[number] = answer
        try:
            self.ask(number)
            self.answer(number, answer)
        except (GoneError, OSError, ValueError):
            self.close_connection = True
        finally:
            answers.pop(number, None)
            tell("gone", number)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def ask(self, number: int) -> None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        length = int(self.headers.get("Content-Length") or 0)
        kept = {name: self.headers[name][:MOST_HEADER] for name in HEADERS if name in self.headers}
        tell("open", number, self.command, self.path[:MOST_HEADER], kept, more=True)
        most, sent = int(sys.argv[2]), 0
        for left in self.chunks() if chunked else [length]:
            sent += left
            if sent > most:
                self.close_connection = True
                tell("large", number)
                return
            for data in self.pieces(left):
                tell_body(number, data)
        tell("whole", number)

    def pieces(self, left: int) -> Iterator[bytes]:
        while left:
            data = self.rfile.read(min(left, PIECE))
            if not data:
                raise GoneError
            left -= len(data)
            yield data

    def chunks(self) -> Iterator[int]:
        while True:
            left = int(self.rfile.readline(1024).split(b";")[0], 16)
            if not left:
                while self.rfile.readline(65536).strip():
                    pass
                return
            yield left
            self.rfile.readline(1024)

    def answer(self, number: int, answer: queue.Queue[Any]) -> None:
        chunked, took = False, 0
        while True:
            if took >= TOLD or answer.empty():
                self.wfile.flush()
            if took >= TOLD:
                tell("took", number, took)
                took = 0
            frame = self.next(answer)
            if frame[0] == "head":
                chunked = self.begin(*frame[2:])
            elif frame[0] == "body":
                data = base64.b64decode(frame[2])
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
                took += len(data)
            elif frame[0] == "end":
                if chunked:
                    self.wfile.write(b"0\r\n\r\n")
                self.wfile.flush()
                if self.close_connection:
                    self.drain()
                return
            else:
                raise GoneError

    def begin(self, status: int, headers: dict[str, str], length: int | None) -> bool:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        chunked = length is None and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        return chunked and self.command != "HEAD"

    def next(self, answer: queue.Queue[Any]) -> Any:
        while True:
            try:
                return answer.get(timeout=0.2)
            except queue.Empty:
                if select.select([self.connection], [], [], 0)[0]:
                    peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
                    if not self.connection.recv(1, peek):
                        raise GoneError from None

    def drain(self) -> None:
        """Read what a client still sends, or it does not see the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        left = MOST_DRAINED
        while left > 0:
            data = self.connection.recv(65536)
            if not data:
                return
            left -= len(data)


class Server(http.server.ThreadingHTTPServer):
    """As many connections as there are places; others wait."""

    daemon_threads = True
    request_queue_size = 64

    def process_request(self, request: Any, client_address: Any) -> None:
        places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def watch() -> None:
    """End the turn when the kernel, which says a word every few seconds, is gone."""
    while time.monotonic() - heard[0] < float(sys.argv[3]):
        time.sleep(0.5)
    end_turn()


def end_turn() -> None:
    """Become the program that ends all that bears the turn's mark, this one too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    bash = ("/bin/bash", "--norc", "--noprofile", "-c", os.environ.get("VIBEKIT_ENDING", ""))
    try:
        os.execv(bash[0], bash)  # noqa: S606  (a source of ours, in the sandbox)
    finally:
        os._exit(0)


def main() -> None:
    """Listen, and hand out what the kernel answers."""
    try:
        server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    except OSError as error:
        tell("failed", error.errno or 0, str(error))
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=watch, daemon=True).start()
    tell("ready", server.server_address[1])
    for line in sys.stdin.buffer:
        heard[0] = time.monotonic()
        try:
            number, kind, *frame = json.loads(line)
        except ValueError:
            continue  # a line that was broken off comes again
        if kind == "stop":
            os._exit(0)
        if number == 0:
            tell(kind)
        if number != last[0] + 1:
            continue
        last[0] = number
        if kind == "alive":
            tell("alive")
        elif (answer := answers.get(frame[0])) is not None:
            answer.put((kind, *frame))
    end_turn()


if __name__ == "__main__":
    main()
