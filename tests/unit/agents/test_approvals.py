"""Which calls are asked about, and what an answer for the session covers."""

from __future__ import annotations

import pytest

from vibekit_jupyter.agents.approvals import kinds_of, needs_asking, risks_of
from vibekit_jupyter.events import ApprovalAsked


def asked(tool: str = "run_command", **fields: str) -> ApprovalAsked:
    return ApprovalAsked("r", "c", tool, "title", **fields)


@pytest.mark.parametrize("tool", ["read_file", "list_files", "search", "view_image", "read"])
def test_looking_is_never_asked_about(tool: str) -> None:
    assert not needs_asking(asked(tool, path="/etc/hosts"), "always")


def test_always_asks_of_all_the_rest_and_never_of_none() -> None:
    for call in (asked(command="ls"), asked("write_file", path="a"), asked("mcp__docs__look")):
        assert needs_asking(call, "always")
        assert not needs_asking(call, "never")


def test_risky_asks_of_what_is_risky() -> None:
    assert not needs_asking(asked(command="ls"), "risky")
    assert not needs_asking(asked("edit_file", path="a.py"), "risky")
    assert needs_asking(asked(command="rm a"), "risky")
    assert needs_asking(asked("edit_file", path="/etc/hosts"), "risky")
    assert needs_asking(asked("mcp__docs__look", command="{}"), "risky")


def test_a_plain_command_that_is_allowed_allows_no_risky_one() -> None:
    plain, risky = kinds_of(asked(command="ls")), kinds_of(asked(command="curl x"))
    assert plain == {"commands"}
    assert risky == {"commands", "commands that reach the network"}
    assert plain < risky


def test_a_tool_of_another_server_is_allowed_alone() -> None:
    one, other = asked("mcp__a__look", command="{}"), asked("mcp__a__push", command="{}")
    assert kinds_of(one).isdisjoint(kinds_of(other))
    assert kinds_of(one).isdisjoint(kinds_of(asked(command="ls")))


def test_a_tool_that_names_neither_command_nor_file_is_of_its_own_kind() -> None:
    assert kinds_of(asked("fetch")) == {"the tool fetch"}
    assert not risks_of(asked("fetch"))
