"""An ACP agent whose faults a test chooses: the demo agent, with something wrong at one message.

Its source runs in the sandbox. ``peer("session/prompt", "crash")`` is a program that ends without a
word when it is prompted.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.launch import Launch
from vibekit_jupyter.agents.acp.program import Program

if TYPE_CHECKING:
    from vibekit_jupyter.agents.memory import Kept
    from vibekit_jupyter.sandbox.connection import Sandbox
    from vibekit_jupyter.settings.config import Model

__all__ = ["PEER", "Forgetful", "Remembering", "peer", "peer_source", "program"]

PEER: Final = "/tmp/peer/peer.py"  # noqa: S108  (a file of the sandbox)
_FAULTS: Final = '''

class Peer(Agent):
    """The demo agent, with a fault."""

    def handle(self, message):
        method = message.get("method")
        if AT is None or method != AT:
            super().handle(message)
        elif getattr(self, FAULT)(message):
            super().handle(message)

    def tell(self, message, **update):
        session = (message.get("params") or {}).get("sessionId", "x")
        self.client.send(method="session/update", params={"sessionId": session, "update": update})

    def crash(self, _):
        sys.stderr.write("no such model\\n")
        sys.stderr.flush()
        os._exit(3)

    def killed(self, message):
        self.tell(message, sessionUpdate="agent_message_chunk", content=_text("I begin."))
        subprocess.Popen(["sleep", "4711"], start_new_session=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def silent(self, _):
        return False

    def lingers(self, _):
        threading.Event().wait()

    def refuse(self, message):
        error = {"code": -32000, "message": "Authentication required"}
        self.client.send(id=message["id"], error=error)

    def nonsense(self, message):
        self.client.send(id=message["id"], result=["not", {"what": "was asked"}])

    def version(self, message):
        self.client.send(id=message["id"], result={"protocolVersion": 2})

    def odd_version(self, message):
        self.client.send(id=message["id"], result={"protocolVersion": 10**4000})

    def both(self, message):
        say = self.client.send
        self.client.send = lambda **said: say(**{"error": None, **said})
        super().handle(message)
        self.client.send = say

    def neither(self, message):
        self.client.send(id=message["id"])

    def unasked(self, message):
        call = {"toolCallId": "c1", "kind": "execute", "rawInput": {"command": "ls"}}
        for options in ([], 7, [7, {}], [{"optionId": "x", "kind": "perhaps"}]):
            params = {"sessionId": message["params"]["sessionId"], "toolCall": call}
            self.client.send(
                id="q", method="session/request_permission", params={**params, "options": options}
            )
        self.client.send(id=message["id"], result={"stopReason": {"odd": 1}})

    def half(self, message):
        sys.stdout.write('{"jsonrpc": "2.0", "id": %d, "resu' % message["id"])
        sys.stdout.flush()
        os._exit(0)

    def efforts(self, message):
        say = self.client.send

        def with_option(**said):
            options = [{"value": "low"}, {"value": "high"}]
            option = {"id": "x", "category": "thought_level", "type": "select", "options": options}
            say(**{**said, "result": {**said["result"], "configOptions": [option]}})

        self.client.send = with_option
        super().handle(message)
        self.client.send = say

    def on_session_set_config_option(self, params):
        with open(os.path.join(HOME, "chosen"), "w") as file:
            json.dump(params, file)
        if params["value"] == "low":
            raise AgentError("not today")
        return {"configOptions": []}

    def by_itself(self, message):
        """Ask no model."""
        self.tell(message, sessionUpdate="agent_message_chunk", content=_text("I look."))
        call = {"toolCallId": "c", "title": "ls", "kind": "execute"}
        self.tell(message, sessionUpdate="tool_call", **call)
        self.tell(message, sessionUpdate="tool_call_update", status="completed", **call)
        for text in ("I ", "looked."):
            self.tell(message, sessionUpdate="agent_message_chunk", content=_text(text))
        self.client.send(id=message["id"], result={"stopReason": "end_turn"})

    def blind(self, message):
        about = {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}
        self.client.send(id=message["id"], result=about)

    def noise(self, message):
        for line in ("warning: old node", "[1, 2]", "{", "\\x1b[31mred", '{"jsonrpc": "2.0"}'):
            sys.stdout.write(line + "\\n")
        self.client.send(id=999999, result={})
        self.client.send(id="odd", error=7)
        self.client.send(method="session/update", params=[])
        self.client.send(method="_vendor/thing", params={"x": 1})
        self.tell(message, sessionUpdate="turn_completed", x=1)
        return True

    def asks(self, message):
        for number in range(50):
            self.client.send(id="q%d" % number, method="fs/write_text_file", params={"path": "x"})
        return True

    def questions(self, message):
        params = {"sessionId": message["params"]["sessionId"]}
        options = [{"optionId": kind, "kind": kind} for kind in ("allow_once", "reject_once")]
        call = {"kind": "execute", "rawInput": {"command": "ls"}}
        for number in range(100):
            params["toolCall"] = {"toolCallId": "c%d" % number, **call}
            ask = {**params, "options": options}
            self.client.send(id="q%d" % number, method="session/request_permission", params=ask)
        return True

    def long_line(self, _):
        sys.stdout.write('{"text": "' + "x" * 30_000_000 + '"}\\n')
        sys.stdout.flush()

    def flood(self, message):
        update = {"sessionUpdate": "agent_message_chunk", "content": _text("x" * 100_000)}
        params = {"sessionId": message["params"]["sessionId"], "update": update}
        line = json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": params}) + "\\n"
        while True:
            sys.stdout.write(line)

    def many(self, message):
        for number in range(10_000):
            self.tell(message, sessionUpdate="agent_message_chunk", content=_text("%d " % number))
        return True

    def forks(self, _):
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.execvpe("sleep", ["sleep", "4711"], {"PATH": os.environ["PATH"]})


AT, FAULT = sys.argv[1:3] if len(sys.argv) > 2 else (None, None)
Agent = Peer
main()
'''


def peer_source() -> str:
    """Return the peer's program."""
    folder = importlib.resources.files("vibekit_jupyter.agents.acp")
    source = folder.joinpath("demo_agent.py").read_text(encoding="utf-8")
    return source.partition('\n\nif __name__ == "__main__":')[0] + _FAULTS


def peer(at: str = "", fault: str = "") -> tuple[str, ...]:
    """Return the words that start a peer with a fault at one of the client's messages."""
    return ("python3", "-I", PEER, *((at, fault) if at else ()))


def program(
    model: Model, *words: str, mode: str | None = None, effort: str | None = None
) -> Program:
    """Return an agent that is started with these words, and asks this model."""

    async def launch(_: Sandbox, url: str, token: str) -> Launch:
        environment = {
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": token,
            "VIBEKIT_MODEL": model.name,
        }
        modes = (mode,) if mode else ()
        return Launch(words or peer(), environment, {PEER: peer_source()}, modes, effort=effort)

    return Program("peer", "The peer", model, launch)


class Forgetful:
    """A memory that holds nothing."""

    def recall(self, _: str) -> Kept | None:
        """Know of none."""
        return None

    def keep(self, *_: Any) -> None:
        """Forget it."""

    def forget(self, _: str) -> None:
        """Have nothing to forget."""

    def left(self, run: int) -> None:
        """Forget it, too."""


class Remembering(Forgetful):
    """A memory of one turn's length, as a test gives it."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept
        self.written: list[tuple[str, int]] = []
        self.forgotten: list[str] = []

    def recall(self, _: str) -> Kept | None:
        return self.kept

    def forget(self, agent: str) -> None:
        self.forgotten.append(agent)

    def keep(self, _: str, own_id: str, prompts: int) -> None:
        self.written.append((own_id, prompts))
