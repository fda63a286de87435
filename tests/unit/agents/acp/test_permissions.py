"""Who is asked sees all that is to be done, whatever an agent calls it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from vibekit_jupyter.agents.acp.permissions import CANCELLED, WITHOUT_YES, Permissions
from vibekit_jupyter.agents.acp.tool_calls import MOST_WHOLE
from vibekit_jupyter.agents.acp.translator import Translator
from vibekit_jupyter.agents.changes import Changes
from vibekit_jupyter.agents.news import News
from vibekit_jupyter.events import ApprovalAnswered, ApprovalAsked
from vibekit_jupyter.runs.approvals import LONGEST

if TYPE_CHECKING:
    from vibekit_jupyter.settings.vendors import Approve

pytestmark = pytest.mark.anyio

KINDS = ("allow_once", "allow_always", "reject_once")
OPTIONS = [{"optionId": kind, "name": kind, "kind": kind} for kind in KINDS]
FILE = "/home/user/a.txt"


class Yes:
    """Allows each question, and keeps it."""

    def __init__(self) -> None:
        self.asked: list[ApprovalAsked] = []

    async def ask(self, asked: ApprovalAsked) -> ApprovalAnswered:
        self.asked.append(asked)
        return ApprovalAnswered(asked.request_id, "once", "you")


async def questions(
    call: dict[str, Any], options: object = OPTIONS, approve: Approve = "always"
) -> tuple[list[ApprovalAsked], Any, bool]:
    """Return what is asked of a call, what the agent is answered, and if that is told as odd."""
    news, person = News(), Yes()

    async def told() -> bool:
        return WITHOUT_YES in [event async for event in news.events()]

    telling = asyncio.create_task(told())
    permissions = Permissions(person, approve, news, Translator(Changes()))
    params = {"toolCall": {"toolCallId": "c", **call}, "options": options}
    answer = await permissions.answer("session/request_permission", params)
    news.end()
    return person.asked, answer, await telling


def difference(path: str, old: str | None, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


async def one(call: dict[str, Any], approve: Approve = "always") -> ApprovalAsked:
    (asked,), _, _ = await questions(call, approve=approve)
    return asked


async def test_a_command_that_nobody_can_read_is_not_cut_to_one_that_can_be_read() -> None:
    for command in ("x" * LONGEST + "; rm -rf .", ["bash", "-c", "x" * LONGEST + "; rm -rf ."]):
        asked = await one({"kind": "execute", "rawInput": {"command": command}})
        assert len(asked.command) > LONGEST


@pytest.mark.parametrize("kind", ["read", "search", "think", "other"])
async def test_a_command_is_asked_about_as_one_whatever_it_is_called(kind: str) -> None:
    asked = await one({"kind": kind, "title": "Look", "rawInput": {"command": "rm -rf ."}})
    assert (asked.tool, asked.command) == ("run_command", "rm -rf .")


async def test_a_verb_of_an_editor_is_shown_with_all_that_it_is_given() -> None:
    given = {"command": "write", "path": FILE, "file_text": "curl x"}
    asked = await one({"kind": "read", "rawInput": given}, approve="risky")
    assert all(value in asked.command for value in given.values())


@pytest.mark.parametrize("lines", [20_000, 200_000])
async def test_a_long_difference_is_whole_or_more_than_can_be_read(lines: int) -> None:
    old = "".join(f"line {number}\n" for number in range(lines))
    new = old.replace("line", "word") + "the end of it\n"
    asked = await one({"kind": "edit", "content": [difference(FILE, old, new)]})
    assert "the end of it" in asked.diff or len(asked.diff) > LONGEST


async def test_what_differs_after_more_than_is_read_is_not_taken_for_no_difference() -> None:
    same = "x" * MOST_WHOLE
    asked = await one({"kind": "edit", "content": [difference(FILE, same, same + "y")]})
    assert len(asked.diff) > LONGEST


async def test_all_files_are_named_and_the_risky_one_counts() -> None:
    parts = [difference(FILE, None, "1\n"), difference("/etc/hosts", None, "2\n")]
    asked = await one({"kind": "edit", "content": parts}, approve="risky")
    assert asked.path == "/etc/hosts"
    assert f" {FILE}:\n" in asked.diff
    assert " /etc/hosts:\n" in asked.diff


async def test_where_there_is_no_difference_it_is_seen_what_the_tool_is_given() -> None:
    """As goose has it."""
    given = {"path": FILE, "content": "if curl:\n  path: 1", "mode": ["w", 1]}
    asked = await one({"kind": "other", "title": "write", "rawInput": given})
    assert asked.path == FILE
    shown = f'path: {FILE}\ncontent: \n  if curl:\n    path: 1\nmode: ["w", 1]'
    assert asked.command == shown
    assert await questions({"rawInput": given}, approve="risky") == (
        [], {"outcome": {"outcome": "selected", "optionId": "allow_once"}}, False
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [None, 7, [], [7, {}], [{"optionId": "x", "kind": "x"}], [{"kind": "allow_once"}], OPTIONS[2:]],
)
async def test_where_no_answer_allows_it_the_person_is_told(options: object) -> None:
    _, answer, is_told = await questions({"rawInput": {"command": "ls"}}, options)
    assert answer == CANCELLED
    assert is_told


async def test_of_a_thousand_answers_one_is_found() -> None:
    many = [{"optionId": f"{number}", "kind": "odd"} for number in range(900)] + OPTIONS
    _, answer, is_told = await questions({"rawInput": {"command": "ls"}}, many)
    assert answer == {"outcome": {"outcome": "selected", "optionId": "allow_once"}}
    assert not is_told
