"""What goes with a prompt to an agent in the sandbox: pictures, and how much is to be thought."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.agents.test_pictures import picture
from tests.support.acp_peer import Remembering
from tests.support.model_server import HttpError
from vibekit_jupyter.agents.picture import Picture, picture_of
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import AgentError, ModelRequestError
from vibekit_jupyter.events import Notice, TextDelta

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.functional.agents.acp.conftest import Peers

pytestmark = pytest.mark.anyio


async def two() -> Mapping[str, Picture]:
    return {
        "data/a.png": await picture_of("a.png", picture("PNG")),
        "data/b.png": await picture_of("b.png", picture("PNG", color="blue")),
    }


def sent(peers: Peers, at: int = -1) -> list[dict[str, Any]]:
    """Return what the model was sent as the last thing of the person's."""
    items = json.loads(peers.server.requests[at].body)["input"]
    content: list[dict[str, Any]] = items[-1]["content"]
    return content


async def test_pictures_reach_the_model_beside_the_words(peers: Peers) -> None:
    await peers.turn(prompt="Compare", data="There are two.", pictures=two)
    shown = await two()
    assert sent(peers) == [
        {"type": "input_text", "text": "There are two."},
        *(
            part
            for path, one in shown.items()
            for part in (
                {"type": "input_text", "text": f"{path}:"},
                {
                    "type": "input_image",
                    "image_url": f"data:{one.media_type};base64,{one.data}",
                },
            )
        ),
        {"type": "input_text", "text": "Compare"},
    ]
    # What is kept of the turn has words alone.
    assert shown["data/a.png"].data not in json.dumps(peers.conversation.to_dict())


async def test_an_agent_that_takes_no_pictures_is_told_of_their_files(peers: Peers) -> None:
    asked = 0

    async def never() -> Mapping[str, Picture]:
        nonlocal asked
        asked += 1
        return {}

    await peers.turn("initialize", "blind", prompt="Look", data="file data/a.png", pictures=never)
    assert [part["text"] for part in sent(peers)] == ["file data/a.png", "Look"]
    assert asked == 0


async def test_a_prompt_may_carry_megabytes(peers: Peers) -> None:
    data = base64.b64encode(b"x" * 750_000).decode()

    async def eight() -> Mapping[str, Picture]:
        return {f"data/{number}.png": Picture("image/png", data) for number in range(8)}

    events = await peers.turn(prompt="Look", pictures=eight)
    assert TextDelta("Done.") in events
    assert sum(part["type"] == "input_image" for part in sent(peers)) == 8


async def test_after_a_refusal_of_pictures_the_session_goes_on_without(peers: Peers) -> None:
    """The agent would send them again with each of its requests."""
    memory = Remembering()
    peers.replies(HttpError(400, "this model does not support image input"))
    with pytest.raises(ModelRequestError):
        await peers.turn(prompt="Look", pictures=two, memory=memory)
    notices = [event.text for event in peers.told if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "may not take pictures" in notices[0]
    assert memory.forgotten
    peers.replies(Answer("I read the file."))
    await peers.turn(prompt="Look", data="file data/a.png", pictures=two)
    assert [part["text"] for part in sent(peers)][-2:] == ["file data/a.png", "Look"]


async def chosen(peers: Peers) -> Any:
    said = (await peers.sandbox.run("cat chosen 2>/dev/null || echo null")).stdout
    return json.loads(said)


@pytest.fixture
def with_effort(peers: Peers) -> Callable[..., Awaitable[list[str]]]:
    async def turn(effort: str, *fault: str) -> list[str]:
        events = await peers.turn(*fault, effort=effort)
        return [event.text for event in events if isinstance(event, Notice)]

    return turn


async def test_the_effort_is_chosen_where_the_agent_has_an_option_for_it(
    peers: Peers, with_effort: Callable[..., Awaitable[list[str]]]
) -> None:
    assert await with_effort("high", "session/new", "efforts") == []
    option = await chosen(peers)
    assert (option["configId"], option["value"]) == ("x", "high")


@pytest.mark.parametrize("fault", [(), ("session/new", "efforts")], ids=["no option", "no level"])
async def test_an_effort_that_the_agent_has_not_is_one_sentence(
    peers: Peers, with_effort: Callable[..., Awaitable[list[str]]], fault: tuple[str, ...]
) -> None:
    assert await with_effort("max", *fault) == [
        "The peer takes no effort max with this model: it asks as it does by itself."
    ]
    assert await chosen(peers) is None


async def test_an_agent_that_refuses_what_it_offers_is_one_clear_error(
    with_effort: Callable[..., Awaitable[list[str]]],
) -> None:
    with pytest.raises(AgentError, match=r"could not take what is set for it: not today"):
        await with_effort("low", "session/new", "efforts")
