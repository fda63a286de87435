"""The model sees a picture of the sandbox, as both vendors take it, and nothing else of ours."""

from __future__ import annotations

import base64
import io
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.functional.agents.support import model_at
from tests.support.model_server import HttpError, ModelServer
from vibekit_jupyter import agents
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.conversation import Conversation
from vibekit_jupyter.agents.conversation import ToolCall as Call
from vibekit_jupyter.agents.loop import run_agent
from vibekit_jupyter.agents.picture import Picture, picture_of
from vibekit_jupyter.agents.tools import MOST_PICTURES, Toolbox
from vibekit_jupyter.demo_model.wire import Answer, ToolCall
from vibekit_jupyter.events import Event, Notice, RunFinished
from vibekit_jupyter.settings.config import AGENTS, AgentName

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.replies import Reply
    from vibekit_jupyter.demo_model.wire import Request
    from vibekit_jupyter.sandbox.connection import Sandbox

pytestmark = pytest.mark.anyio


def picture(kind: str, size: tuple[int, int] = (40, 30), color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, kind)
    return file.getvalue()


def opened(shown: Picture) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(shown.data)))


DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">
<rect width="40" height="30" fill="red"/></svg>"""
PICTURES = {
    "a.png": picture("PNG"),
    "a.jpg": picture("JPEG"),
    "a.JPEG": picture("JPEG"),
    "a.webp": picture("WEBP"),
    "a.gif": picture("GIF"),
    "a.svg": DRAWING,
}


@pytest.mark.parametrize("path", PICTURES)
async def test_a_picture_of_each_kind_is_shown(path: str) -> None:
    shown = await picture_of(path, PICTURES[path])
    assert shown.media_type in ("image/png", "image/jpeg")
    with opened(shown) as image:
        assert image.size == (40, 30)
        red, green, blue = image.convert("RGB").getpixel((20, 15))  # type: ignore[misc]
        assert red > 240
        assert green < 20
        assert blue < 20


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_large_picture_is_scaled_down(kind: str) -> None:
    noise = Image.effect_noise((3000, 2000), 100).convert("RGB")
    file = io.BytesIO()
    noise.save(file, kind)
    shown = await picture_of(f"a.{kind.lower()}", file.getvalue())
    with opened(shown) as image:
        assert image.size == (1568, 1045)
    assert len(shown.data) < 1_400_000


async def test_a_drawing_shows_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture("PNG", color="blue"))
    for address in (str(secret), secret.as_uri(), "secret.png"):
        for name in ("href", "xlink:href"):
            drawing = f"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"
            xmlns:xlink="http://www.w3.org/1999/xlink">
            <image {name}="{address}" width="40" height="30"/></svg>"""
            shown = await picture_of("a.svg", drawing.encode())
            with opened(shown) as image:
                assert image.convert("RGB").getcolors() == [(1200, (255, 255, 255))]


BOMB = b"""<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<svg xmlns="http://www.w3.org/2000/svg"><text>&b;</text></svg>"""


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.txt", b"text"),
        ("a.png", b""),
        ("a.png", b"text"),
        ("a.png", picture("GIF")),
        ("a.png", picture("PNG")[:60]),
        ("a.png", picture("PNG", (9000, 9000))),
        ("a.svg", b"<svg"),
        ("a.svg", BOMB),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 9999999"/>'),
        ("a.svg", b"<svg>" * 200_000),
    ],
)
async def test_what_is_no_picture_is_told(path: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a\.\w+ (cannot be read|is no picture|takes longer)"):
        await picture_of(path, data)


async def test_a_run_looks_at_so_many_pictures(sandbox: Sandbox) -> None:
    await sandbox.write_file("/home/user/a.png", PICTURES["a.png"])
    toolbox = Toolbox(sandbox, "ask", Changes())
    call = Call("call_1", "view_image", json.dumps({"path": "a.png"}))
    for _ in range(MOST_PICTURES):
        assert (await toolbox.run(call, lambda *_: None)).picture is not None
    assert "which is the most" in (await toolbox.run(call, lambda *_: None)).output


def pictures_in(request: Request) -> list[Any]:
    text = json.dumps(request.json)
    return [kind for kind in ("input_image", '"image"') if kind in text]


async def run(agent: AgentName, server: ModelServer, sandbox: Sandbox) -> tuple[Any, list[Event]]:
    await sandbox.write_file("/home/user/a.png", PICTURES["a.png"])
    vendor = agents.load(model_at(server, agent))
    conversation = Conversation()
    try:
        async with aclosing(run_agent(vendor, conversation, "Look", sandbox=sandbox)) as events:
            return conversation, [event async for event in events]
    finally:
        await vendor.aclose()


VIEW = Answer(tool_calls=(ToolCall("view_image", {"path": "a.png"}),))


@pytest.mark.parametrize("agent", AGENTS)
async def test_the_picture_reaches_the_model_and_no_record(
    agent: AgentName, sandbox: Sandbox
) -> None:
    with ModelServer([VIEW, Answer("It is red.")]) as server:
        conversation, _ = await run(agent, server, sandbox)
        sent = server.requests[-1].json
        assert not server.violations
    data = base64.b64encode(PICTURES["a.png"]).decode()
    if agent == "codex":
        (output,) = [item["output"] for item in sent["input"] if "output" in item]
        assert output[1]["image_url"] == f"data:image/png;base64,{data}"
    else:
        (result,) = sent["messages"][-1]["content"]
        source = {"type": "base64", "media_type": "image/png", "data": data}
        assert result["content"][1] == {"type": "image", "source": source}
    assert data not in json.dumps(conversation.to_dict())
    assert Conversation.from_dict(conversation.to_dict()).to_dict() == conversation.to_dict()


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_service_that_takes_no_pictures_is_asked_without_them(
    agent: AgentName, sandbox: Sandbox
) -> None:
    def blind(request: Request) -> Reply:
        if pictures_in(request):
            return HttpError(400, "image input is not supported by this model")
        return Answer("I cannot see it.") if "could not be shown" in str(request.json) else VIEW

    with ModelServer(blind) as server:
        _, events = await run(agent, server, sandbox)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert told == ["The model service does not take pictures: the run goes on without them."]
    assert not any(isinstance(event, RunFinished) for event in events)
