"""What an agent in a sandbox asks the relay for, as a program there: requests in, answers out."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vibekit_jupyter.agents.relay import Relay
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["asked", "body", "outcomes"]

PROGRAM = r"""
import hashlib, http.client, json, sys
host = sys.argv[1].split("//")[1]
def ask(one):
    connection = http.client.HTTPConnection(host, timeout=60)
    headers = one["headers"]
    try:
        if one.get("huge"):
            connection.putrequest(one["method"], one["path"])
            for name, value in headers.items():
                connection.putheader(name, value)
            if one["huge"] == "chunked":
                connection.putheader("Transfer-Encoding", "chunked")
            else:
                connection.putheader("Content-Length", str(one["huge"]))
            connection.endheaders()
            sent, piece = 0, b"x" * (1 << 20)
            try:
                while sent < (1 << 30):
                    data = piece
                    if one["huge"] == "chunked":
                        data = b"%x\r\n%s\r\n" % (len(piece), piece)
                    connection.send(data)
                    sent += len(piece)
            except OSError:
                pass
        else:
            data = one.get("body", "").encode()
            connection.request(one["method"], one["path"], data or None, headers)
            sent = len(data)
        answer = connection.getresponse()
        text, whole = b"", True
        if one.get("most"):
            text = answer.read(one["most"])
            connection.close()
        else:
            try:
                text = answer.read()
            except (http.client.IncompleteRead, OSError) as error:
                text, whole = getattr(error, "partial", b""), False
        told = dict(answer.getheaders())
        return {"status": answer.status, "text": text.decode("utf-8", "replace")[-20000:],
                "sum": hashlib.sha256(text).hexdigest(),
                "whole": whole, "headers": told, "sent": sent}
    except (http.client.HTTPException, OSError) as error:
        return {"status": 0, "text": repr(error), "whole": False, "headers": {}, "sent": 0}
print(json.dumps([ask(one) for one in json.load(open(sys.argv[2]))]))
"""
FOLDER = "/home/user/.client"


def body(model: str = "codex-model", **fields: Any) -> str:
    """A request for an answer, in the OpenAI Responses protocol."""
    message = {"role": "user", "content": "Hello"}
    tools = [{"type": "function", "name": "run", "parameters": {}}]
    fixed = {"model": model, "input": [message], "stream": True, "tools": tools}
    return json.dumps({**fixed, **fields})


def asked(
    relay: Relay,
    *,
    path: str = "/v1/responses",
    method: str = "POST",
    token: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A request; by default one that is served."""
    key = relay.token if token is None else token
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return {
        "method": method,
        "path": path,
        "headers": {**headers, **more.pop("headers", {})},
        "body": body(),
        **more,
    }


async def outcomes(
    sandbox: Sandbox, relay: Relay, *requests: dict[str, Any]
) -> list[dict[str, Any]]:
    """Send requests from inside the sandbox, one after the other."""
    await sandbox.write_file(f"{FOLDER}/ask.py", PROGRAM.encode())
    await sandbox.write_file(f"{FOLDER}/asked.json", json.dumps(requests).encode())
    ran = await sandbox.run(
        shlex.join(["python3", f"{FOLDER}/ask.py", relay.url, f"{FOLDER}/asked.json"]), timeout=120
    )
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found
