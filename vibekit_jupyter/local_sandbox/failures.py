"""Failures as the protocol tells them: one code, understood by REST and by Connect alike."""

from __future__ import annotations

from vibekit_jupyter.errors import SandboxError

__all__ = ["ProtocolError"]

HTTP_STATUS = {
    "canceled": 499,
    "invalid_argument": 400,
    "not_found": 404,
    "already_exists": 409,
    "conflict": 409,
    "permission_denied": 403,
    "forbidden": 403,
    "resource_exhausted": 429,
    "not_enough_space": 507,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 502,
    "unauthenticated": 401,
}
CONNECT_CODES = {
    "conflict": "failed_precondition",
    "forbidden": "permission_denied",
    "not_enough_space": "resource_exhausted",
}


class ProtocolError(SandboxError):
    """An answer that is an error.

    Parameters
    ----------
    code
        Connect's word for it, or ``conflict``, ``forbidden``, ``not_enough_space``.
    message
        One plain sentence.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return HTTP_STATUS.get(self.code, 500)

    @property
    def connect_code(self) -> str:
        """Connect's code."""
        return CONNECT_CODES.get(self.code, self.code)
