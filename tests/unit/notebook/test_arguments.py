"""What stands on a magic's line."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from vibekit_jupyter.notebook.arguments import Command, argument, expand, split_words

COMMAND = Command(
    "%demo",
    "A magic for tests.",
    (
        argument("--agent", choices=("codex", "claude")),
        argument("--session"),
        argument("--fresh", action="store_true"),
        argument("word", nargs="?"),
    ),
)
PROMPT = Command("%ask", "A magic for tests.", COMMAND.own[:3])

words = st.text(min_size=1).filter(lambda text: text.strip() == text)


class Holder:
    secret = "sk-secret"


def test_a_whole_word_that_names_a_string_is_replaced() -> None:
    namespace = {"first": "i7c1ab7e"}
    assert expand("$first", namespace) == "i7c1ab7e"
    assert expand("{first}", namespace) == "i7c1ab7e"


@pytest.mark.parametrize(
    "word",
    ["x$first", "{first}s", "{holder.secret}", "{holder}", "{1+1}", "{first!r}", "$", "{}", "$1st",
     "{first:>20}", "{ first }", "$holder", "$missing", "{number}", "${first}"],
)  # fmt: skip
def test_nothing_else_is_replaced(word: str) -> None:
    namespace = {"first": "x", "holder": Holder(), "number": 7}
    assert expand(word, namespace) == word


def test_a_value_is_never_taken_for_an_option_or_for_two_words() -> None:
    options = COMMAND.parse(split_words("{name}"), {"name": "--fresh --agent codex"})
    assert options.word == "--fresh --agent codex"
    assert not options.fresh


def test_a_variable_can_name_a_choice() -> None:
    assert COMMAND.parse(["--agent", "$who"], {"who": "claude"}).agent == "claude"


@given(st.lists(words, min_size=1))
def test_quoted_words_come_back_as_they_were(parts: list[str]) -> None:
    assert split_words(shlex.join(parts)) == parts


@pytest.mark.parametrize(
    "line", ["--agnt codex", "--agent klaude", "--agent", "one two", "--fre", "'open"]
)
def test_what_does_not_fit_is_a_usage_error_of_one_line(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        COMMAND.parse(split_words(line), {})
    assert "\n" not in str(caught.value)


def test_a_refusal_does_not_repeat_what_was_typed() -> None:
    command = Command("%demo key", "Ask for a key.", refusal="A key never stands on the line")
    for line in ("sk-secret", "--key sk-secret", "--key=sk-secret"):
        with pytest.raises(UsageError) as caught:
            command.parse(split_words(line), {})
        assert "A key never" in str(caught.value)
        assert "secret" not in str(caught.value)


def test_help_asks_for_nothing_else() -> None:
    assert COMMAND.parse(["--help"], {}).help
    assert "--agent {codex,claude}" in COMMAND.help()
    assert "\x1b" not in COMMAND.help()


@pytest.mark.parametrize(
    "prompt",
    ["it's", 'say "hi', "a  b\tc", "$(rm -rf /)", "`id`", "{x.__class__}", "100% {} $", "\\n",
     "-- --fresh", "emoji 🎉", "what --fresh means"],
)  # fmt: skip
def test_the_rest_of_the_line_stays_as_it_stands(prompt: str) -> None:
    options, rest = PROMPT.parse_prompt(f"--agent codex --fresh -- {prompt}", {"x": "y"})
    assert rest == prompt
    assert options.agent == "codex"
    assert options.fresh


def test_options_end_at_the_first_word_that_is_none() -> None:
    options, rest = PROMPT.parse_prompt("--session 'my own' do it's --fresh", {})
    assert (options.session, options.fresh) == ("my own", False)
    assert rest == "do it's --fresh"


def test_options_can_be_written_with_an_equals_sign() -> None:
    options, rest = PROMPT.parse_prompt("--agent=claude --session=$s go", {"s": "x y"})
    assert (options.agent, rest) == ("claude", "go")


def test_an_empty_value_is_one() -> None:
    options, rest = PROMPT.parse_prompt("--session '' go", {})
    assert (options.session, rest) == ("", "go")


def test_whole_words_of_a_line_prompt_are_replaced() -> None:
    _, rest = PROMPT.parse_prompt("explain  {code}, no: {code} !", {"code": "a  b"})
    assert rest == "explain  {code}, no: a  b !"


@given(st.text().filter(lambda text: not text.lstrip().startswith("-")))
def test_a_prompt_without_variables_arrives_as_typed(prompt: str) -> None:
    assert PROMPT.parse_prompt(prompt, {})[1] == prompt.strip()


ASKING = Command(
    "%ask",
    "A magic for tests.",
    (argument("--approve", choices=("always", "risky"), nargs="?", const="always"),),
)


@pytest.mark.parametrize(
    ("line", "approve", "prompt"),
    [
        ("--approve risky do it", "risky", "do it"),
        ("--approve do it", "always", "do it"),
        ("--approve 'do it' now", "always", "'do it' now"),
        ("--approve -- risky business", "always", "risky business"),
        ("--approve", "always", ""),
        ("do --approve it", None, "do --approve it"),
    ],
)
def test_an_option_that_may_stand_alone_takes_no_word_of_the_prompt(
    line: str, approve: str | None, prompt: str
) -> None:
    options, rest = ASKING.parse_prompt(line, {})
    assert (options.approve, rest) == (approve, prompt)
