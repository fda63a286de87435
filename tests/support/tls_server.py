"""A server whose certificate nobody trusts, unless its file is named."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TlsServer", "tls_server"]

# No name of loopback that is gone around: what is asked for there is asked for as far away.
HOST = "127.0.0.2"
ANSWER = (
    b"HTTP/1.1 401 X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b'Content-Length: 29\r\n\r\n{"code":401,"message":"No."} '
)


@dataclass(frozen=True)
class TlsServer:
    """Where it is, and the file with which it is trusted. It refuses every key."""

    url: str
    authority: Path


def openssl(*arguments: str | Path) -> None:
    """Run the system's program for certificates."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[TlsServer]:
    """Run one in a thread of its own."""
    authority, key = folder / "authority.pem", folder / "key.pem"
    request, certificate = folder / "request.pem", folder / "certificate.pem"
    names = folder / "names"
    names.write_text(f"subjectAltName=IP:{HOST}\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=a",
            "-keyout", key, "-out", authority)  # fmt: skip
    openssl("req", "-new", "-key", key, "-subj", "/CN=s", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", key, "-set_serial", "2",
            "-days", "2", "-extfile", names, "-out", certificate)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listening = socket.create_server((HOST, 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(10)
                # A client that does not trust it hangs up in the middle of the greeting.
                with connection, contextlib.suppress(OSError):
                    secured = context.wrap_socket(connection, server_side=True)
                    with secured:
                        secured.recv(65536)
                        secured.sendall(ANSWER)
                        secured.shutdown(socket.SHUT_WR)
                        while secured.recv(65536):  # whoever hangs up on the rest takes it all back
                            pass

    thread = threading.Thread(target=answer, name="tls-server")
    thread.start()
    try:
        yield TlsServer(f"https://{HOST}:{listening.getsockname()[1]}", authority)
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)
