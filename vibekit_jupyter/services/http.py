"""One small request to a service of this machine."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

__all__ = ["request_json"]

# Bytes; what is longer is cut, and so no JSON.
MOST = 1024**2

# urllib takes proxies from the environment; a loopback request must never go through one.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request_json(
    url: str, *, key: str, method: str = "GET", timeout: float = 5.0
) -> dict[str, Any]:
    """Send a request with an API key and return the JSON object that it is answered with.

    Raises
    ------
    OSError
        No answer, an error status, or an answer that is no JSON object.
    """
    request = urllib.request.Request(url, method=method, headers={"X-API-KEY": key})  # noqa: S310 - the caller's own loopback URL
    with _direct.open(request, timeout=timeout) as response:
        try:
            answer = json.loads(response.read(MOST))
        except (RecursionError, ValueError) as error:
            raise OSError(f"{url} answered something that is not JSON") from error
    if not isinstance(answer, dict):
        raise OSError(f"{url} answered something that is not a JSON object")
    return answer
