"""Code is told from prose, also from prose that parses as Python."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.demo_model.code import Code, find_code, is_only_comments, is_python
from vibekit_jupyter.demo_model.scripts import SCRIPTS

WORDS = re.findall(
    r"\w+",
    "fix this bug tests in is not and or if else for while with as the primes files del pass "
    "global assert raise yourself concerns warming await lambda list load sales csv plot "
    "revenue per month please hello world True None",
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"v_{name}")
VALUES = st.one_of(st.integers().map(repr), st.text(max_size=30).map(repr), NAMES)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, NAMES, VALUES),
    st.builds("{}: int = {}".format, NAMES, VALUES),
    st.builds("{} += {}".format, NAMES, VALUES),
    st.builds("{}({})".format, NAMES, VALUES),
    st.builds("print({}.{}({}))".format, NAMES, NAMES, VALUES),
    st.builds("import {}".format, NAMES),
    st.builds("from {} import {}".format, NAMES, NAMES),
    st.builds("def {}():\n    return {}".format, NAMES, VALUES),
    st.builds("class {}:\n    pass".format, NAMES),
    st.builds("for {} in range(9):\n    print({})".format, NAMES, VALUES),
)
PUNCTUATION = st.sampled_from(("", ".", "!", "?", ":", ",", ";"))


@given(st.lists(STATEMENTS, min_size=1, max_size=5).map("\n".join))
def test_every_program_is_code(program: str) -> None:
    assert find_code(program) == Code("python", f"{program}\n")


@given(
    st.lists(
        st.tuples(st.sampled_from(WORDS), st.sampled_from(("", "", ",", ":", "-"))),
        min_size=1,
        max_size=9,
    ),
    PUNCTUATION,
)
def test_no_sentence_is_code(words: list[tuple[str, str]], end: str) -> None:
    sentence = " ".join(word + mark for word, mark in words) + end
    assert find_code(sentence) is None
    assert find_code(sentence.capitalize()) is None


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    find_code(text)
    is_only_comments(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="`~\r"), min_size=1))
def test_a_fenced_block_is_taken_whole(source: str) -> None:
    prompt = f"Run this, please:\n\n```python\n{source}\n```\nThanks!"
    assert find_code(prompt) == Code("python", f"{source}\n")


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("print('Working in new session')", Code("python", "print('Working in new session')\n")),
        ("    x = 1\n    y = 2", Code("python", "x = 1\ny = 2\n")),
        ("total = f(1)\ntotal, 2", Code("python", "total = f(1)\ntotal, 2\n")),
        ("# why\nimport this", Code("python", "# why\nimport this\n")),
        ("console.log('Hello World')", Code("javascript", "console.log('Hello World')\n")),
        ("#!/bin/sh\necho hi", Code("script", "#!/bin/sh\necho hi\n")),
        ("$ ls -la\ntotal 0\n$ pwd", Code("shell", "ls -la\npwd\n")),
        ("Try\n```bash\n$ echo hi\nhi\n```", Code("shell", "echo hi\n")),
        ("```\nls -la\n```", Code("shell", "ls -la\n")),
        ("```\nprint(1)\n```", Code("python", "print(1)\n")),
        ("~~~sh\necho 1\n~~~", Code("shell", "echo 1\n")),
        ("```python\nprint(1)", Code("python", "print(1)\n")),
        ("````sh\necho '```'\n````\n", Code("shell", "echo '```'\n")),
        ("```rust\nfn main() {}\n```", None),
        ("```\n\n```", None),
        ("", None),
        ("hello", None),
        ("fix this", None),
        ("bread, butter", None),
        ("What is 2+2?", None),
        ("2 + 2", None),
        ("Note: tests", None),
        ("Note: tests()", None),
        ("tests in main()", None),
        ("not done()", None),
        ("global warming", None),
        ("# Project: demo", None),
        ("print('unfinished", None),
        ("(" * 1000, None),
        ("-" * 100_000 + "1", None),
        ("a\x00b()", None),
    ],
)
def test_a_prompt_is_the_code_that_it_looks_like(prompt: str, code: Code | None) -> None:
    assert find_code(prompt) == code


@pytest.mark.parametrize(
    "piece",
    ["`", "```a\n", "~~~\n", " ", "(", "a ", "a.", "-", "please ", "#\n", "$ \n", "$ a\n", "\0"],
)
def test_a_megabyte_of_anything_is_looked_at(piece: str) -> None:
    prompt = "x" + piece * (2**20 // len(piece)) + "x"
    for text in (prompt, prompt[1:]):
        find_code(text)
        assert not any(script.match(text) for script in SCRIPTS)


def test_what_python_would_warn_of_stays_unsaid() -> None:
    assert is_python('print("\\d" is "x")')


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("# Starting new session", True),
        ("# one\n\n  # two\n", True),
        ("# one\nx", False),
        ("", False),
    ],
)
def test_comments_alone_are_known_as_such(prompt: str, expected: bool) -> None:  # noqa: FBT001
    assert is_only_comments(prompt) is expected
