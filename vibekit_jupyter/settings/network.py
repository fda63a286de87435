"""What the environment says of the way to a service: proxies, and whose certificates are trusted.

Each library reads these variables by itself, and says in its own way, or not at all, that it
cannot use one: the variable's name is what a person needs to hear.
"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from vibekit_jupyter.errors import ConfigurationError, causes

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["certificate_fault", "check_proxies", "unusable"]

PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
OTHERS: Final = ("NO_PROXY", "SSLKEYLOGFILE")
CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# What another library reads, and none of these.
UNREAD: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
# OpenSSL's words, and those of Rust's library.
CERTIFICATE: Final = re.compile("certificate", re.IGNORECASE)
OUTDATED: Final = re.compile(r"expired|not.?yet.?valid", re.IGNORECASE)
MISNAMED: Final = re.compile(r"not.?valid.?for|mismatch", re.IGNORECASE)
# What both the sandboxes' and the models' libraries can go through.
SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def check_proxies(title: str, urls: Iterable[str]) -> None:
    """Raise where requests to a service would go around a proxy because it cannot be used.

    Raises
    ------
    ConfigurationError
        It names the variable.
    """
    for url in urls:
        name = _proxy_of(url)
        if name and (wrong := _wrong_proxy(os.environ[name])):
            raise _error(title, name, wrong)


def unusable(title: str, error: Exception) -> ConfigurationError:
    """Return the error of a client that cannot be made because of the environment.

    Parameters
    ----------
    title
        The service that the client is for.
    error
        What its library raised.
    """
    for name in _set(PROXIES):
        if wrong := _wrong_proxy(os.environ[name]):
            return _error(title, name, wrong)
        if isinstance(error, ImportError) and os.environ[name].lower().startswith("socks"):
            return ConfigurationError(
                f"{title} cannot be asked: {name} names a SOCKS proxy, and a package for it is "
                "missing.",
                hint=f"pip install socksio, or unset {name}.",
            )
    for name in _set(CERTIFICATES):
        if wrong := _wrong_certificates(name, os.environ[name]):
            return _error(title, name, wrong)
    suspects = " or ".join(_set((*OTHERS, *PROXIES))) or "the network's settings"
    return _error(title, suspects, "cannot be used")


def certificate_fault(error: BaseException | None) -> tuple[str, str] | None:
    """Return what is wrong with a server's certificate, and what to do; None where it is not that.

    Parameters
    ----------
    error
        What a library raised, with what caused it.

    Returns
    -------
    tuple
        The end of a sentence that begins with the certificate, and a sentence.
    """
    error = next((each for each in causes(error) if CERTIFICATE.search(str(each))), None)
    if error is None:
        return None
    if OUTDATED.search(str(error)):
        return (
            "has expired, or is not valid yet",
            "Check this machine's clock; else whoever runs the server has to renew it.",
        )
    if MISNAMED.search(str(error)):
        return (
            "is for another host",
            "Check the URL: it has to name the host as the certificate does.",
        )
    return "is not trusted", _trust()


def _trust() -> str:
    """Return what to do about a certificate that is not trusted."""
    for name in _set(CERTIFICATES):
        if wrong := _wrong_certificates(name, os.environ[name]):
            return f"{name} {wrong}: correct or unset it."
    named = " and ".join(_set(CERTIFICATES))
    if named:
        return f"Certificates are trusted by {named} alone: add the one of your network there."
    if unread := _set(UNREAD):
        return f"{unread[0]} is not read here: name its file in SSL_CERT_FILE."
    return "Where your network has a certificate of its own, name its file in SSL_CERT_FILE."


def _error(title: str, name: str, wrong: str) -> ConfigurationError:
    return ConfigurationError(
        f"{title} cannot be asked: {name} {wrong}.", hint=f"Correct {name}, or unset it."
    )


def _set(names: Iterable[str]) -> list[str]:
    """Return those variables that say something, as they are spelled."""
    spelled = [spelling for name in names for spelling in (name.lower(), name)]
    return [name for name in spelled if os.environ.get(name)]


def _proxy_of(url: str) -> str:
    """Return the name of the variable whose proxy a request goes through, if any."""
    from urllib.request import proxy_bypass

    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return next(iter(_set((f"{parts.scheme.upper()}_PROXY", "ALL_PROXY"))), "")


def _wrong_proxy(value: str) -> str:
    """Return what is wrong with a proxy, as the end of a sentence; its password is not shown."""
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        return "is not the URL of a proxy"
    if parts.scheme not in SCHEMES:
        return f"names a proxy of a kind that is not known ({parts.scheme[:20]}://)"
    return "" if parts.hostname else "is not the URL of a proxy"


def _wrong_certificates(name: str, value: str) -> str:
    if name.upper() == "SSL_CERT_DIR":
        folders = map(Path, value.split(os.pathsep))
        return "" if any(map(_is_filled, folders)) else "names no folder with certificates"
    if not Path(value).is_file():
        return "names a file that is not there"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except (OSError, ValueError):
        return "names a file without certificates"
    return ""


def _is_filled(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
