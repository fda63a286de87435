"""A small coding agent that speaks ACP: what an agent in a sandbox needs, and nothing else.

This runs in the sandbox, and is never imported. It needs Python 3.8 and no package, asks its model
over the Responses protocol at ``OPENAI_BASE_URL``, and keeps its sessions below the home folder.
"""

from __future__ import annotations

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

HOME = os.path.expanduser("~")
KEPT = os.path.join(HOME, ".vibekit-demo-agent")
INSTRUCTIONS = (
    "You are a coding agent that works in a folder of a sandbox. Do what is asked with your tools, "
    "look at what came out, and say in a few words what you did."
)
PATH = {"type": "string", "description": "Absolute, or relative to the working folder."}
TEXT = {"type": "string"}
# What each tool is in ACP, and what it takes.
TOOLS = {
    "run_command": ("execute", {"command": TEXT}),
    "write_file": ("edit", {"path": PATH, "content": TEXT}),
    "edit_file": ("edit", {"path": PATH, "old": TEXT, "new": TEXT}),
    "read_file": ("read", {"path": PATH}),
    "list_files": ("read", {"path": PATH}),
}
ASKED = ("run_command", "write_file", "edit_file")
MOST_STEPS = 50
MOST_OUTPUT = 16000


class CancelledError(Exception):
    """The client cancelled the turn."""


class AgentError(Exception):
    """The turn cannot go on; the message says why."""


class Client:
    """The other end of standard input and output."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.waiting = {}
        self.writing = threading.Lock()

    def send(self, **message):
        """Write one message."""
        line = json.dumps({"jsonrpc": "2.0", **message})
        with self.writing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def call(self, method, params):
        """Ask the client, and wait for what it answers."""
        number = "ask-%d" % next(self.numbers)
        answer = self.waiting[number] = queue.Queue()
        self.send(id=number, method=method, params=params)
        return answer.get()

    def answered(self, message):
        """Hand an answer to whoever waits for it."""
        waiting = self.waiting.pop(message.get("id"), None)
        if waiting is not None:
            waiting.put(message.get("result") or {})


class Model:
    """The model service, asked for one answer at a time."""

    def __init__(self):
        self.url = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
        self.connection = None

    def answer(self, items, on_text):
        """Return what the model answers to a conversation: its items, and its usage."""
        body = {
            "model": os.environ.get("VIBEKIT_MODEL", "demo"),
            "instructions": INSTRUCTIONS,
            "input": items,
            "tools": [_function(name, fields) for name, (_, fields) in TOOLS.items()],
            "stream": True,
            "store": False,
        }
        self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=600)
        try:
            self.connection.request(
                "POST",
                self.url.path + "/responses",
                json.dumps(body),
                {
                    "content-type": "application/json",
                    "authorization": "Bearer " + os.environ.get("OPENAI_API_KEY", ""),
                },
            )
            response = self.connection.getresponse()
            if response.status != 200:
                raise AgentError("the model was not asked (%d)" % response.status)
            for line in response:
                event = _event(line)
                if event.get("type") == "response.output_text.delta":
                    on_text(event["delta"])
                elif event.get("type") in ("response.completed", "response.incomplete"):
                    whole = event["response"]
                    return whole["output"], whole.get("usage") or {}
                elif event.get("type") in ("response.failed", "error"):
                    raise AgentError("the model failed")
        except (OSError, http.client.HTTPException) as error:
            raise AgentError("the model did not answer (%s)" % error) from error
        finally:
            self.connection.close()
        raise AgentError("the model's answer broke off")

    def hang_up(self):
        """Break an answer off."""
        sock = self.connection and self.connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Session:
    """One conversation, kept in a file."""

    def __init__(self, own_id, items=()):
        self.id = own_id
        self.items = list(items)
        self.mode = "auto"
        self.always = False
        self.cancelled = threading.Event()
        self.model = Model()
        self.process = None

    @classmethod
    def load(cls, own_id):
        """Return the session of this id."""
        if not re.fullmatch(r"[0-9a-f]{32}", own_id):
            raise AgentError("there is no session %s" % own_id)
        try:
            with open(os.path.join(KEPT, own_id + ".json"), encoding="utf-8") as file:
                return cls(own_id, json.load(file))
        except (OSError, ValueError) as error:
            raise AgentError("there is no session %s" % own_id) from error

    def keep(self):
        """Write it down, whole or not at all."""
        os.makedirs(KEPT, exist_ok=True)
        path = os.path.join(KEPT, self.id + ".json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.items, file)
        os.replace(path + ".new", path)

    def cancel(self):
        """Break off what goes on."""
        self.cancelled.set()
        self.model.hang_up()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)


class Agent:
    """What the client calls."""

    def __init__(self, client):
        self.client = client
        self.sessions = {}

    def handle(self, message):
        """Answer one message of the client's."""
        method, params = message.get("method"), message.get("params") or {}
        if method is None:
            self.client.answered(message)
        elif method == "session/cancel":
            if params.get("sessionId") in self.sessions:
                self.sessions[params["sessionId"]].cancel()
        elif method == "session/prompt":
            threading.Thread(target=self.reply, args=(message,), daemon=True).start()
        else:
            self.reply(message)

    def reply(self, message):
        """Do what is asked, and answer it."""
        method = message["method"].replace("/", "_")
        try:
            work = getattr(self, "on_" + method, None)
            if work is None:
                error = {"code": -32601, "message": "Method not found"}
                self.client.send(id=message["id"], error=error)
                return
            self.client.send(id=message["id"], result=work(message.get("params") or {}))
        except Exception as error:
            self.client.send(id=message["id"], error={"code": -32603, "message": str(error)})

    def on_initialize(self, _):
        return {
            "protocolVersion": 1,
            "agentInfo": {"name": "vibekit-demo-agent", "version": "1"},
            "agentCapabilities": {"loadSession": True},
            "authMethods": [],
        }

    def on_session_new(self, _):
        return self.begun(Session(uuid.uuid4().hex))

    def on_session_load(self, params):
        session = Session.load(str(params.get("sessionId")))
        for item in session.items:
            if item.get("role") == "user":
                self.update(session, "user_message_chunk", content=_text(item["content"]))
            for part in item.get("content", ()) if item.get("type") == "message" else ():
                self.update(session, "agent_message_chunk", content=_text(part.get("text", "")))
        return self.begun(session)

    def begun(self, session):
        self.sessions[session.id] = session
        modes = [{"id": "auto", "name": "Auto"}, {"id": "ask", "name": "Ask"}]
        return {
            "sessionId": session.id,
            "modes": {"currentModeId": session.mode, "availableModes": modes},
        }

    def on_session_set_mode(self, params):
        self.sessions[params["sessionId"]].mode = params["modeId"]
        return {}

    def on_session_prompt(self, params):
        session = self.sessions[params["sessionId"]]
        session.cancelled.clear()
        prompt = "\n\n".join(part.get("text", "") for part in params["prompt"])
        session.items.append({"role": "user", "content": prompt})
        session.keep()
        usage = {"inputTokens": 0, "cachedReadTokens": 0, "outputTokens": 0}
        try:
            for _ in range(MOST_STEPS):
                if not self.step(session, usage):
                    return {"stopReason": "end_turn", "usage": usage}
            return {"stopReason": "max_turn_requests", "usage": usage}
        except (AgentError, CancelledError) as error:
            if not session.cancelled.is_set():
                raise
            session.items.append({"role": "user", "content": "[%s]" % (error or "cancelled")})
            return {"stopReason": "cancelled", "usage": usage}
        finally:
            _close(session.items)
            session.keep()

    def step(self, session, usage):
        """Ask the model once, and do what it wants; return whether there is more to do."""
        items, told = session.model.answer(
            session.items,
            lambda text: self.update(session, "agent_message_chunk", content=_text(text)),
        )
        usage["inputTokens"] += told.get("input_tokens", 0)
        usage["outputTokens"] += told.get("output_tokens", 0)
        session.items += items
        calls = [item for item in items if item.get("type") == "function_call"]
        for call in calls:
            if session.cancelled.is_set():
                raise CancelledError
            output = self.use_tool(session, call)
            session.items.append(
                {"type": "function_call_output", "call_id": call["call_id"], "output": output}
            )
        session.keep()
        return bool(calls)

    def use_tool(self, session, call):
        """Do one tool call, told as it goes; return what the model is told of it."""
        name, call_id = call["name"], call["call_id"]
        try:
            given = json.loads(call["arguments"])
            kind, fields = TOOLS[name]
            given = {field: str(given[field]) for field in fields}
        except (KeyError, TypeError, ValueError):
            return "Error: there is no such tool, or it takes something else"
        title = given.get("command") or "%s %s" % (name.replace("_", " "), given.get("path"))
        told = {"title": title, "kind": kind, "rawInput": given, "name": name}
        if "path" in given:
            given["path"] = os.path.join(HOME, given["path"])
        self.update(session, "tool_call", toolCallId=call_id, status="pending", **told)
        asks = name in ASKED and session.mode == "ask" and not session.always
        if asks and not self.is_allowed(session, call_id, told):
            self.update(session, "tool_call_update", toolCallId=call_id, status="failed")
            return "Error: the person refused this"
        self.update(session, "tool_call_update", toolCallId=call_id, status="in_progress")
        try:
            output, ok, more = getattr(self, name)(session, call_id, given)
        except (OSError, ValueError) as error:
            output, ok, more = "Error: %s" % error, False, {}
        if not (more or name == "run_command"):
            more = {"content": [{"type": "content", "content": _text(output)}]}
        status = "completed" if ok else "failed"
        self.update(session, "tool_call_update", toolCallId=call_id, status=status, **more)
        return output

    def is_allowed(self, session, call_id, told):
        """Ask the client."""
        kinds = ("allow_once", "allow_always", "reject_once")
        options = [{"optionId": kind, "name": kind, "kind": kind} for kind in kinds]
        answer = self.client.call(
            "session/request_permission",
            {
                "sessionId": session.id,
                "toolCall": {"toolCallId": call_id, **told},
                "options": options,
            },
        )
        outcome = answer.get("outcome") or {}
        if outcome.get("outcome") != "selected":
            raise CancelledError
        session.always = outcome["optionId"] == "allow_always"
        return outcome["optionId"] != "reject_once"

    def run_command(self, session, call_id, given):
        session.process = subprocess.Popen(
            ["bash", "-c", given["command"]],
            cwd=HOME,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output = b""
        for data in iter(lambda: os.read(session.process.stdout.fileno(), 8192), b""):
            output = (output + data)[-MOST_OUTPUT:]
            delta = {"data": data.decode(errors="replace"), "terminal_id": call_id}
            self.update(
                session,
                "tool_call_update",
                toolCallId=call_id,
                _meta={"terminal_output_delta": delta},
            )
        code = session.process.wait()
        if session.cancelled.is_set():
            raise CancelledError
        text = output.decode(errors="replace").rstrip("\n") or "(no output)"
        if code:
            text += "\n[exit code %d]" % code
        return text, code == 0, {"_meta": {"terminal_exit": {"exit_code": code, "signal": None}}}

    def write_file(self, _session, _call_id, given):
        return self.changed(given["path"], _content(given["path"]), given["content"])

    def edit_file(self, _session, _call_id, given):
        before = _content(given["path"])
        if before is None:
            raise ValueError("no such file: %s" % given["path"])
        if before.count(given["old"]) != 1:
            raise ValueError("the old text does not occur exactly once")
        return self.changed(given["path"], before, before.replace(given["old"], given["new"]))

    def changed(self, path, before, after):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)
        diff = {"type": "diff", "path": path, "oldText": before, "newText": after}
        return "Wrote %s." % path, True, {"content": [diff]}

    def read_file(self, _session, _call_id, given):
        with open(given["path"], encoding="utf-8") as file:
            return file.read(MOST_OUTPUT) or "(empty)", True, {}

    def list_files(self, _session, _call_id, given):
        return "\n".join(sorted(os.listdir(given["path"]))) or "(empty)", True, {}

    def update(self, session, what, **fields):
        update = {"sessionUpdate": what, **fields}
        self.client.send(
            method="session/update", params={"sessionId": session.id, "update": update}
        )


def _function(name, fields):
    return {
        "type": "function",
        "name": name,
        "description": name.replace("_", " "),
        "parameters": {
            "type": "object",
            "properties": fields,
            "required": list(fields),
            "additionalProperties": False,
        },
    }


def _event(line):
    if not line.startswith(b"data:"):
        return {}
    try:
        return json.loads(line[5:])
    except ValueError:
        return {}


def _text(text):
    return {"type": "text", "text": text}


def _content(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _close(items):
    """Give each tool call a result: the model takes back none without."""
    done = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    for item in list(items):
        if item.get("type") == "function_call" and item["call_id"] not in done:
            output = {"type": "function_call_output", "call_id": item["call_id"]}
            items.append({**output, "output": "Error: not done, the person stopped the turn"})


def main():
    """Serve until standard input ends."""
    agent = Agent(Client())
    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            agent.handle(message)
    for session in agent.sessions.values():
        session.cancel()


if __name__ == "__main__":
    main()
