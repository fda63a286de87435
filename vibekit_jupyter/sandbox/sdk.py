"""How the E2B SDK is imported and where it connects."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING, Any

from vibekit_jupyter.sandbox.installed import installed_first
from vibekit_jupyter.settings.choices import DOMAIN
from vibekit_jupyter.settings.network import check_proxies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import e2b

    from vibekit_jupyter.settings.config import Service

__all__ = ["load", "sdk_class", "sdk_options", "unkept_output"]


class Key(str):
    """A key whose repr hides it: a traceback may show the locals of the SDK's frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'[key]'"


def load() -> None:
    """Import the SDK: a second in which the caller's thread does nothing else."""
    with installed_first():
        import e2b
        import e2b.sandbox_async.commands.command  # noqa: F401

        # The SDK's transport looks for it when the first one is made.
        with contextlib.suppress(ImportError):
            import opentelemetry  # noqa: F401


def sdk_class() -> type[e2b.AsyncSandbox]:
    """Return the SDK's class of a sandbox; its import takes half a second."""
    from e2b import AsyncSandbox

    return AsyncSandbox


def sdk_options(service: Service) -> dict[str, Any]:
    """Return where the SDK connects and with which key.

    Raises
    ------
    ConfigurationError
        The environment names a proxy that the SDK would go around without a word.
    """
    if service.is_local:
        _bypass_proxies()
    urls = filter(None, (service.api_url, service.sandbox_url))
    check_proxies(f"The sandbox service ({service.title})", urls)
    options = {
        "api_key": Key(service.api_key),
        "api_url": service.api_url,
        "sandbox_url": service.sandbox_url,
        # Where nothing is said the SDK takes what the environment says, which was not chosen.
        "domain": service.domain or DOMAIN,
        "debug": False,
        "request_timeout": service.request_timeout,
    }
    return {name: value for name, value in options.items() if value is not None}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _bypass_proxies() -> None:
    """Tell the SDK's transport, which knows no other way, that loopback needs no proxy."""
    if not any(os.environ.get(name) for scheme in PROXIES for name in (scheme, scheme.lower())):
        return
    names = ("NO_PROXY", "no_proxy")
    # Programs read one or the other: what either says, both say.
    said = [host.strip() for name in names for host in os.environ.get(name, "").split(",")]
    hosts = [*dict.fromkeys(host for host in said if host)]
    if "*" not in hosts:
        hosts += [host for host in ("127.0.0.1", "localhost") if host not in hosts]
    for name in names:
        os.environ[name] = ",".join(hosts)


@functools.cache
def unkept_output(method: str) -> Mapping[str, Any]:
    """Ask the SDK not to keep a command's output itself, where its version can do that.

    Parameters
    ----------
    method
        Of the SDK's commands: ``run`` or ``connect``.
    """
    import inspect

    from e2b.sandbox_async.commands.command import Commands

    known = "retain_output" in inspect.signature(getattr(Commands, method)).parameters
    return {"retain_output": False} if known else {}
