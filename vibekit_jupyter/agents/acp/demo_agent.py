"""A small coding agent that speaks ACP: what an agent in a sandbox needs, and nothing else.

This runs in the sandbox, and is never imported. It needs Python 3.8 and no package, asks its model
over the Responses protocol at ``OPENAI_BASE_URL``, and keeps its sessions below the home folder.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
import uuid
from typing import Any, Callable, Dict, Iterable, Tuple

HOME = os.path.expanduser("~")
KEPT = os.path.join(HOME, ".vibekit-demo-agent")
INSTRUCTIONS = (
    "You are a coding agent that works in a folder of a sandbox. Do what is asked with your tools, "
    "look at what came out, and say in a few words what you did."
)
# What each tool is in ACP, and the texts that it takes.
TOOLS = {
    "run_command": ("execute", ("command",)),
    "write_file": ("edit", ("path", "content")),
    "edit_file": ("edit", ("path", "old", "new")),
    "read_file": ("read", ("path",)),
    "list_files": ("read", ("path",)),
}
ASKED = ("run_command", "write_file", "edit_file")
MODES = [{"id": name, "name": name} for name in ("auto", "ask")]
MOST_STEPS, MOST_OUTPUT = 50, 16000

Outcome = Tuple[str, bool, Dict[str, Any]]


class CancelledError(Exception):
    """The client cancelled the turn."""


class AgentError(Exception):
    """The turn cannot go on; the message says why."""


class Client:
    """The other end of standard input and output."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.waiting: dict[str, queue.Queue[Any]] = {}
        self.writing = threading.Lock()

    def send(self, **message: Any) -> None:
        """Write one message."""
        line = json.dumps({"jsonrpc": "2.0", **message})
        with self.writing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client, and wait for what it answers."""
        number = "ask-%d" % next(self.numbers)
        waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        self.waiting[number] = waiting
        self.send(id=number, method=method, params=params)
        return waiting.get()

    def answered(self, message: dict[str, Any]) -> None:
        """Hand an answer to whoever waits for it."""
        waiting = self.waiting.pop(str(message.get("id")), None)
        if waiting is not None:
            waiting.put(message.get("result") or {})


class Model:
    """The model service, asked for one answer at a time."""

    def __init__(self) -> None:
        self.connection: http.client.HTTPConnection | None = None

    def answer(
        self, items: list[dict[str, Any]], on_text: Callable[[str], None]
    ) -> list[dict[str, Any]]:
        """Return the items that the model answers to a conversation."""
        url = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
        body = {
            "model": os.environ.get("VIBEKIT_MODEL", "demo"),
            "instructions": INSTRUCTIONS,
            "input": items,
            "tools": [_function(name, fields) for name, (_, fields) in TOOLS.items()],
            "stream": True,
            "store": False,
        }
        key = os.environ.get("OPENAI_API_KEY", "")
        headers = {"authorization": "Bearer " + key, "content-type": "application/json"}
        self.connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=600)
        try:
            self.connection.request("POST", url.path + "/responses", json.dumps(body), headers)
            response = self.connection.getresponse()
            if response.status != 200:
                raise AgentError("the model was not asked (%d)" % response.status)
            for line in response:
                event = json.loads(line[5:]) if line.startswith(b"data: {") else {}
                if event.get("type") == "response.output_text.delta":
                    on_text(event["delta"])
                elif event.get("type") in ("response.completed", "response.incomplete"):
                    return list(event["response"]["output"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AgentError("the model did not answer (%s)" % error) from error
        finally:
            self.connection.close()
        raise AgentError("the model's answer broke off")

    def hang_up(self) -> None:
        """Break an answer off."""
        with contextlib.suppress(AttributeError, OSError):  # there may be none
            self.connection.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


class Session:
    """One conversation, kept in a file."""

    def __init__(self, own_id: str, items: Iterable[dict[str, Any]] = ()) -> None:
        self.id = own_id
        self.items = list(items)
        self.mode = "auto"
        self.always = False
        self.cancelled = threading.Event()
        self.model = Model()
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def load(cls, own_id: str) -> Session:
        """Return the session of this id."""
        try:
            if not re.fullmatch(r"[0-9a-f]{32}", own_id):
                raise ValueError
            return cls(own_id, json.loads(_content(os.path.join(KEPT, own_id + ".json")) or ""))
        except (OSError, ValueError) as error:
            raise AgentError("there is no session %s" % own_id) from error

    def keep(self) -> None:
        """Write it down, whole or not at all."""
        os.makedirs(KEPT, exist_ok=True)
        path = os.path.join(KEPT, self.id + ".json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.items, file)
        os.replace(path + ".new", path)

    def cancel(self) -> None:
        """Break off what goes on."""
        self.cancelled.set()
        self.model.hang_up()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Give each tool call a result: a model takes back none without."""
        results = [each for each in self.items if each.get("type") == "function_call_output"]
        done = {each["call_id"] for each in results}
        for item in list(self.items):
            if item.get("type") == "function_call" and item["call_id"] not in done:
                self.add_result(item["call_id"], "Error: not done, the turn was stopped")

    def add_result(self, call_id: str, output: str) -> None:
        """Add what a tool call came to."""
        self.items.append({"type": "function_call_output", "call_id": call_id, "output": output})


class Agent:
    """What the client calls."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sessions: dict[str, Session] = {}

    def handle(self, message: dict[str, Any]) -> None:
        """Answer one message of the client's."""
        method = message.get("method")
        if method is None:
            self.client.answered(message)
        elif method == "session/cancel":
            for session in self.sessions.values():
                session.cancel()
        elif method == "session/prompt":
            threading.Thread(target=self.reply, args=(message,), daemon=True).start()
        else:
            self.reply(message)

    def reply(self, message: dict[str, Any]) -> None:
        """Do what is asked, and answer it."""
        work = getattr(self, "on_" + message["method"].replace("/", "_"), None)
        try:
            if work is None:
                raise AgentError("method not found")
            self.client.send(id=message.get("id"), result=work(message.get("params") or {}))
        except Exception as error:
            code = -32601 if work is None else -32603
            self.client.send(id=message.get("id"), error={"code": code, "message": str(error)})

    def on_initialize(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "protocolVersion": 1,
            "agentInfo": {"name": "vibekit-demo-agent", "version": "1"},
            "agentCapabilities": {"loadSession": True, "promptCapabilities": {"image": True}},
        }

    def on_session_new(self, _: dict[str, Any]) -> dict[str, Any]:
        return self.begun(Session(uuid.uuid4().hex))

    def on_session_load(self, params: dict[str, Any]) -> dict[str, Any]:
        session = Session.load(str(params.get("sessionId")))
        for item in session.items:
            by = "user" if item.get("role") == "user" else "agent"
            for part in item.get("content", ()) if item.get("type") == "message" else ():
                self.update(session, by + "_message_chunk", content=_text(part.get("text", "")))
        return self.begun(session)

    def begun(self, session: Session) -> dict[str, Any]:
        self.sessions[session.id] = session
        modes = {"currentModeId": session.mode, "availableModes": MODES}
        return {"sessionId": session.id, "modes": modes}

    def on_session_set_mode(self, params: dict[str, Any]) -> dict[str, Any]:
        self.sessions[params["sessionId"]].mode = params["modeId"]
        return {}

    def on_session_prompt(self, params: dict[str, Any]) -> dict[str, Any]:
        session = self.sessions[params["sessionId"]]
        session.cancelled.clear()
        content = [_input(part) for part in params["prompt"]]
        session.items.append({"type": "message", "role": "user", "content": content})
        session.keep()
        try:
            for _ in range(MOST_STEPS):
                if not self.step(session):
                    return {"stopReason": "end_turn"}
            return {"stopReason": "max_turn_requests"}
        except (AgentError, CancelledError):
            if not session.cancelled.is_set():
                raise
            return {"stopReason": "cancelled"}
        finally:
            session.close()
            session.keep()

    def step(self, session: Session) -> bool:
        """Ask the model once, and do what it wants; return whether there is more to do."""

        def say(text: str) -> None:
            self.update(session, "agent_message_chunk", content=_text(text))

        items = session.model.answer(session.items, say)
        session.items += items
        calls = [item for item in items if item.get("type") == "function_call"]
        for call in calls:
            if session.cancelled.is_set():
                raise CancelledError
            session.add_result(call["call_id"], self.use_tool(session, call))
        session.keep()
        return bool(calls)

    def use_tool(self, session: Session, call: dict[str, Any]) -> str:
        """Do one tool call, told as it goes; return what the model is told of it."""
        name, call_id = call["name"], call["call_id"]
        try:
            given = json.loads(call["arguments"])
            kind, fields = TOOLS[name]
            given = {field: str(given[field]) for field in fields}
        except (KeyError, TypeError, ValueError):
            return "Error: there is no such tool, or it takes something else"
        title = given.get("command") or "%s %s" % (name.replace("_", " "), given.get("path"))
        told = {"title": title, "kind": kind, "rawInput": dict(given), "name": name}
        self.update(session, "tool_call", toolCallId=call_id, status="pending", **told)

        def tell(**fields: Any) -> None:
            self.update(session, "tool_call_update", toolCallId=call_id, **fields)

        asks = name in ASKED and session.mode == "ask" and not session.always
        if asks and not self.is_allowed(session, {"toolCallId": call_id, **told}):
            tell(status="failed")
            return "Error: the person refused this"
        tell(status="in_progress")
        if "path" in given:
            given["path"] = os.path.join(HOME, given["path"])
        try:
            output, ok, more = getattr(self, name)(session, tell, **given)
        except (OSError, ValueError) as error:
            output, ok, more = "Error: %s" % error, False, {}
        if not (more or name == "run_command"):
            more = {"content": [{"type": "content", "content": _text(output)}]}
        tell(status="completed" if ok else "failed", **more)
        return str(output)

    def is_allowed(self, session: Session, call: dict[str, Any]) -> bool:
        """Ask the client."""
        kinds = ("allow_once", "allow_always", "reject_once")
        options = [{"optionId": kind, "name": kind, "kind": kind} for kind in kinds]
        params = {"sessionId": session.id, "toolCall": call, "options": options}
        outcome = self.client.call("session/request_permission", params).get("outcome") or {}
        if outcome.get("outcome") != "selected":
            raise CancelledError
        session.always = outcome["optionId"] == "allow_always"
        return bool(outcome["optionId"] != "reject_once")

    def run_command(self, session: Session, tell: Callable[..., None], command: str) -> Outcome:
        session.process = process = subprocess.Popen(
            ["bash", "-c", command], cwd=HOME, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )  # fmt: skip
        output = b""
        with process.stdout as stdout:  # type: ignore[union-attr]  # it is a pipe
            for data in iter(lambda: os.read(stdout.fileno(), 8192), b""):
                output = (output + data)[-MOST_OUTPUT:]
                tell(_meta={"terminal_output_delta": {"data": data.decode(errors="replace")}})
        code = process.wait()
        if session.cancelled.is_set():
            raise CancelledError
        text = output.decode(errors="replace").rstrip("\n") or "(no output)"
        text += "\n[exit code %d]" % code if code else ""
        return text, code == 0, {"_meta": {"terminal_exit": {"exit_code": code, "signal": None}}}

    def write_file(self, _: Session, __: Any, path: str, content: str) -> Outcome:
        return self.changed(path, _content(path), content)

    def edit_file(self, _: Session, __: Any, path: str, old: str, new: str) -> Outcome:
        before = _content(path)
        if before is None:
            raise FileNotFoundError(path)
        if before.count(old) != 1:
            raise ValueError("the old text does not occur exactly once")
        return self.changed(path, before, before.replace(old, new))

    def changed(self, path: str, before: str | None, after: str) -> Outcome:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)
        diff = {"type": "diff", "path": path, "oldText": before, "newText": after}
        return "Wrote %s." % path, True, {"content": [diff]}

    def read_file(self, _: Session, __: Any, path: str) -> Outcome:
        with open(path, encoding="utf-8") as file:
            return file.read(MOST_OUTPUT) or "(empty)", True, {}

    def list_files(self, _: Session, __: Any, path: str) -> Outcome:
        return "\n".join(sorted(os.listdir(path))) or "(empty)", True, {}

    def update(self, session: Session, what: str, **fields: Any) -> None:
        params = {"sessionId": session.id, "update": {"sessionUpdate": what, **fields}}
        self.client.send(method="session/update", params=params)


def _function(name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    texts = {field: {"type": "string"} for field in fields}
    schema = {"type": "object", "properties": texts, "required": list(fields)}
    words = name.replace("_", " ")
    return {"type": "function", "name": name, "description": words, "parameters": schema}


def _input(part: dict[str, Any]) -> dict[str, str]:
    if part.get("type") == "image":
        return {"type": "input_image", "image_url": "data:%(mimeType)s;base64,%(data)s" % part}
    return {"type": "input_text", "text": part.get("text", "")}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _content(path: str) -> str | None:
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def main() -> None:
    """Serve until standard input ends."""
    agent = Agent(Client())
    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            agent.handle(message)
    agent.handle({"method": "session/cancel"})


if __name__ == "__main__":
    main()
