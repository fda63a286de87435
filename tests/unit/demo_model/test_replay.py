"""A script goes on where the conversation stands, and reads what the tools say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.demo_model.replay import Outcome, Plan, Step, Turn, replay
from vibekit_jupyter.demo_model.scripts import answer
from vibekit_jupyter.demo_model.wire import Message, Request, ToolCall, ToolResult

TOOLS = ("run_command", "read_file", "write_file", "edit_file", "list_files")


def request(*messages: Message, tools: tuple[str, ...] = TOOLS) -> Request:
    return Request("openai", "demo", "", messages, tools, False, b"", {})  # noqa: FBT003


def user(text: str = "", *results: ToolResult) -> Message:
    return Message("user", (text,) if text else (), tool_results=results)


def assistant(text: str = "", *calls: ToolCall) -> Message:
    return Message("assistant", (text,) if text else (), tool_calls=calls)


def counting(most: int) -> Plan:
    seen = []
    for number in range(most):
        outcome = yield Step("run_command", {"command": str(number)})
        seen.append(outcome.text)
    return ",".join(seen)


@given(st.integers(0, 5), st.lists(st.sampled_from("abc"), max_size=5))
def test_the_first_step_without_an_outcome_is_next(most: int, given_: list[str]) -> None:
    outcomes = tuple(Outcome(ok=True, text=text) for text in given_[:most])
    turn = Turn("p", outcomes, (), (), frozenset(TOOLS), (), ())
    reply = replay(counting(most), turn)
    if len(outcomes) < most:
        assert [call.arguments for call in reply.tool_calls] == [{"command": str(len(outcomes))}]
    else:
        assert reply.text == f"Demo model: {','.join(given_[:most])}"


def test_a_turn_begins_with_the_last_words_of_the_user() -> None:
    call, late = ToolCall("run_command", {"command": "a"}), ToolCall("read_file", {"path": "b"})
    turn = Turn.of(
        request(
            user("one"),
            assistant("", call),
            # An interrupted run's result and the next prompt come in one message.
            user("two", ToolResult(call.id, "interrupted by the user", is_error=True)),
            assistant("", late),
            user("", ToolResult(late.id, "text")),
        )
    )
    assert (turn.prompt, turn.earlier) == ("two", ("one",))
    assert [outcome.text for outcome in turn.outcomes] == ["text"]
    assert turn.calls == (call, late)


def test_a_result_too_many_does_not_break_a_script() -> None:
    calls = [ToolCall("write_file", {"path": "demo_prompt.py"}) for _ in range(4)]
    results = [ToolResult(call.id, "created") for call in calls]
    reply = answer(request(user("print(1)"), assistant("", *calls), user("", *results)))
    assert reply.text.startswith("Demo model: ")


def test_an_empty_conversation_is_answered() -> None:
    assert answer(request()).text.startswith("Demo model: ")


@given(st.text())
def test_every_answer_says_who_speaks(prompt: str) -> None:
    reply = answer(request(user(prompt)))
    assert reply.text.startswith("Demo model: ")


def test_how_a_command_ended_is_read_from_the_last_line() -> None:
    def read(text: str, *, is_error: bool = False) -> tuple[bool, str, str]:
        outcome = Outcome.of(ToolResult("c", text, is_error))
        return outcome.ok, outcome.text, outcome.ending

    assert read("out") == (True, "out", "")
    assert read("(no output)") == (True, "", "")
    assert read("(no output)\n[exit code 1]") == (False, "", "exit code 1")
    assert read("out\n[exit code 127]", is_error=True) == (False, "out\n", "exit code 127")
    assert read("a\n[ended: it was not done after 9 s]")[2] == "ended: it was not done after 9 s"
    assert read("[exit code 1]\nno, it went well") == (True, "[exit code 1]\nno, it went well", "")
    assert read("Error: no such file") == (False, "no such file", "")
    assert read("odd", is_error=True) == (False, "odd", "")
