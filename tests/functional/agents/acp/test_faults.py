"""Whatever is wrong with an agent is one clear error, and nothing of it is left."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.functional.agents.acp.conftest import Peers
from tests.support.acp_peer import peer
from tests.support.model_server import ModelServer
from tests.support.replies import Disturbed, HttpError, Stall
from tests.support.sandbox_server import sandbox_server
from vibekit_jupyter.agents.acp import turn
from vibekit_jupyter.agents.acp.permissions import MOST_OPEN
from vibekit_jupyter.agents.loop import Limits
from vibekit_jupyter.demo_model.wire import Answer
from vibekit_jupyter.errors import (
    AgentError,
    ModelError,
    ModelUnavailableError,
    SandboxError,
    VibeKitError,
)
from vibekit_jupyter.events import Notice, TextDelta, ToolCallFinished
from vibekit_jupyter.sandbox.connection import Sandbox
from vibekit_jupyter.sandbox.service import kill
from vibekit_jupyter.settings.config import Service

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

FAULTS = {
    ("initialize", "crash"): "The peer ended before it was done (exit code 3): no such model.",
    ("initialize", "silent"): "The peer did not start within 5 s, and was ended.",
    ("initialize", "version"): "The peer speaks another version of ACP (2) than 1.",
    ("initialize", "odd_version"): "The peer speaks another version of ACP (none that is known)",
    ("initialize", "long_line"): "The peer wrote a line of more than 16 MiB, and was ended.",
    ("session/new", "refuse"): "The peer could not begin a session: Authentication required.",
    ("session/new", "nonsense"): "The peer began a session without a name for it.",
    ("session/new", "half"): "The peer ended before it was done (exit code 0)",
    ("session/prompt", "neither"): "The peer could not answer.",
    ("session/prompt", "silent"): "The peer said nothing for 5 s, and was ended.",
    ("session/prompt", "killed"): "The peer ended before it was done (",
    ("session/prompt", "flood"): "The peer said more than 128 MiB in one turn, and was ended.",
    ("session/prompt", "forks"): "The peer ended before it was done (exit code 0)",
}


@pytest.mark.parametrize(("at", "fault"), FAULTS)
async def test_a_fault_is_one_sentence_and_leaves_nothing(
    peers: Peers, at: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "silent":  # it is waited for
        monkeypatch.setattr(turn, "STARTING", 5.0)
        monkeypatch.setattr(turn, "GIVING_UP", 1.0)
    with pytest.raises(AgentError) as raised:
        await peers.turn(at, fault, limits=Limits(silence=4 if fault == "silent" else 30))
    assert raised.value.message.startswith(FAULTS[at, fault])
    assert raised.value.hint
    await peers.nothing_left()
    # Who goes on finds a conversation that can be gone on with.
    assert not peers.conversation.open_calls


async def test_how_long_a_model_may_be_silent_says_nothing_of_how_an_agent_starts(
    peers: Peers,
) -> None:
    slowly = ("bash", "-c", 'sleep 2.5; exec "$@"', "slowly", *peer())
    events = await peers.turn(words=slowly, limits=Limits(silence=2))
    assert TextDelta("Done.") in events


async def test_a_models_silence_is_not_the_agents(peers: Peers) -> None:
    peers.replies(Disturbed(Answer("As far as this."), Stall(2, 60.0)))
    with pytest.raises(ModelUnavailableError, match="silent for 2 s"):
        await peers.turn(limits=Limits(silence=2))
    assert TextDelta("Done.") in await peers.turn()


async def test_where_nothing_confines_it_no_agent_is_started(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    unconfined = dataclasses.replace(peers.sandbox.service, confinement="none")
    monkeypatch.setattr(peers.sandbox, "service", unconfined)
    with pytest.raises(SandboxError, match="nothing confines it in this sandbox"):
        await peers.turn()


async def test_under_landlock_a_sentence_says_so_before_anything_starts(
    tmp_path: Path,
) -> None:
    with sandbox_server(tmp_path / "server", "--confine", "landlock") as far:
        service = Service(
            "test",
            "local sandbox",
            far.key,
            far.url,
            far.url,
            template="base",
            confinement="landlock",
        )
        sandbox = await Sandbox.create(service, timeout=300, metadata={}, internet=False)
        with ModelServer([]) as server:
            here = Peers(sandbox, server)
            with pytest.raises(SandboxError, match="under landlock lets none") as raised:
                await here.turn()
        assert "codex or claude" in raised.value.hint
        assert here.conversation.messages == ()
        assert await sandbox.sdk.commands.list() == []
        assert server.requests == []
        await kill(service, sandbox.id)


async def test_an_agent_that_is_not_there_is_not_installed(peers: Peers) -> None:
    with pytest.raises(AgentError, match="not installed in this sandbox"):
        await peers.turn(words=("no-such-agent", "--acp"))
    assert peers.conversation.messages == ()


async def test_a_profile_whose_path_leads_nowhere_changes_nothing(peers: Peers) -> None:
    await peers.sandbox.write_file("/home/user/.bash_profile", b"PATH=/nowhere")
    assert TextDelta("Done.") in await peers.turn()


async def test_a_program_that_is_no_agent_is_told_in_its_own_words(peers: Peers) -> None:
    with pytest.raises(AgentError, match="exit code 2"):
        await peers.turn(words=("ls", "/no/such/folder"))


async def test_an_answer_that_names_no_error_beside_its_result_is_one(peers: Peers) -> None:
    events = await peers.turn("initialize", "both")
    assert TextDelta("Done.") in events


async def test_questions_that_cannot_be_answered_and_an_odd_end_are_told(peers: Peers) -> None:
    events = await peers.turn("session/prompt", "unasked")
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sum("none of the answers that it takes allows it" in text for text in told) == 4
    assert told[-1] == "The peer did not say why it stopped."


@pytest.mark.parametrize("at", ["initialize", "session/prompt"])
async def test_noise_and_unknown_messages_change_nothing(peers: Peers, at: str) -> None:
    events = await peers.turn(at, "noise")
    assert TextDelta("Done.") in events


async def test_calls_that_we_do_not_serve_are_refused_at_once(peers: Peers) -> None:
    await peers.turn("session/prompt", "asks")
    assert not any(isinstance(event, Notice) for event in peers.told)


async def test_a_hundred_questions_at_once_are_all_answered(peers: Peers) -> None:
    """As many as can be read are asked; the agent is told of the others that they are not."""
    events = await peers.turn("session/prompt", "questions")
    asked = sum(isinstance(event, ToolCallFinished) for event in events)
    assert MOST_OPEN <= asked <= 100
    await peers.nothing_left()


async def test_ten_thousand_updates_are_a_few_events(peers: Peers) -> None:
    events = await peers.turn("session/prompt", "many")
    words = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(words).startswith("".join(f"{number} " for number in range(10_000)))
    assert len(words) < 3_000


async def test_what_the_relay_saw_decides(peers: Peers) -> None:
    peers.replies(HttpError.unauthorized())
    with pytest.raises(ModelError):
        await peers.turn()
    await peers.nothing_left()


async def test_after_a_fault_the_next_turn_is_as_any_other(peers: Peers) -> None:
    with pytest.raises(VibeKitError):
        await peers.turn("session/prompt", "killed")
    events = await peers.turn()
    assert any(isinstance(event, TextDelta) for event in events)
