"""The Connect protocol, JSON only: envelopes, end frames and error bodies. Pure functions.

https://connectrpc.com/docs/protocol: an envelope is one byte of flags, four bytes of length
(big endian) and the message; flag 2 marks the end of a stream.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.local_sandbox.failures import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "END",
    "LARGEST_MESSAGE",
    "EnvelopeReader",
    "decode_unary",
    "encode_end",
    "encode_envelope",
    "encode_json",
    "error_body",
]

COMPRESSED, END = 0x01, 0x02
PREFIX = struct.Struct(">BI")
LARGEST_MESSAGE = 64 * 1024 * 1024
DEEPEST_MESSAGE = 32


def encode_json(message: Any) -> bytes:
    """Return JSON that any parser takes.

    A name that is not UTF-8 arrives here as half surrogates, which strict parsers refuse whole.
    """
    text = json.dumps(message, separators=(",", ":"))
    if "\\ud" in text:
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    return text.encode()


def encode_envelope(message: dict[str, Any], flags: int = 0) -> bytes:
    """Return one enveloped message."""
    body = encode_json(message)
    return PREFIX.pack(flags, len(body)) + body


def encode_end(error: ProtocolError | None = None) -> bytes:
    """Return the envelope that ends a stream, with its error where there is one."""
    return encode_envelope({"error": error_body(error)} if error else {}, END)


def error_body(error: ProtocolError) -> dict[str, str]:
    """Return the JSON that tells an error."""
    return {"code": error.connect_code, "message": error.message}


def decode_unary(body: bytes) -> dict[str, Any]:
    """Return the message of a unary request.

    Raises
    ------
    ProtocolError
        ``invalid_argument``: it is no JSON object, or one too deep.
    """
    try:
        message = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("invalid_argument", "the request is not JSON, or too deep") from error
    if not isinstance(message, dict):
        raise ProtocolError("invalid_argument", "the request must be a JSON object")
    _must_be_shallow(message)
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _must_be_shallow(message: dict[str, Any]) -> None:
    # What is just not too deep for the parser here may be too deep for the next one.
    level: list[Any] = [message]
    for _depth in range(DEEPEST_MESSAGE):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ProtocolError(
        "invalid_argument", f"the request is nested more than {DEEPEST_MESSAGE} levels deep"
    )


class EnvelopeReader:
    """Turns bytes, however they were cut, into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield ``(flags, message)`` for each envelope that is complete now.

        Raises
        ------
        ProtocolError
            ``invalid_argument``: compressed, too large, or no JSON object.
        """
        self._bytes += data
        while len(self._bytes) >= PREFIX.size:
            flags, length = PREFIX.unpack_from(self._bytes)
            if flags & COMPRESSED:
                raise ProtocolError("unimplemented", "compressed messages are not supported")
            if length > LARGEST_MESSAGE:
                raise ProtocolError("invalid_argument", f"a message of {length} bytes is too large")
            end = PREFIX.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[PREFIX.size : end])
            del self._bytes[:end]
            yield flags, decode_unary(body)

    @property
    def pending(self) -> bool:
        """Whether an envelope has begun and not ended."""
        return bool(self._bytes)
