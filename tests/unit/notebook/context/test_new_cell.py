"""Which code of an answer comes into a new cell."""

from __future__ import annotations

import pytest

from vibekit_jupyter.notebook.context.new_cell import code_of, new_cell
from vibekit_jupyter.results import CommandResult, FileChange, Result

PYTHON = "x = 1\n"


def answer(text: str, **fields: object) -> Result:
    return Result("s", "codex", "m", "p", text, **fields)  # type: ignore[arg-type]  # what a test gives


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("```py\nx = 1\n```\ntext\n~~~~{.python3}\ny = 2\n~~~~", "x = 1\n\ny = 2"),
        ("1. So:\n\n   ```ipython\n   if x:\n       y\n   ```", "if x:\n    y"),
        ("> ```Python title=a\n> x = 1\n> ```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```\nTraceback (most recent call last):\n```\n```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1", "x = 1"),
        ("````python\nprint('''\n```\n''')\n````", "print('''\n```\n''')"),
        (
            "```python\n!pip install x\n%matplotlib inline\n```",
            "!pip install x\n%matplotlib inline",
        ),
        ("```\n!pip install x\nx = 1\n```", "!pip install x\nx = 1"),
    ],
)
def test_the_python_of_an_answer_is_its_code(text: str, code: str) -> None:
    assert code_of(answer(text)) == code


@pytest.mark.parametrize(
    "text",
    ["no code", "", "```bash\nls\n```", "```\nnot python at all\n```", "`x = 1`",
     "```python\n\n```", "```json\n{}\n```"],
)  # fmt: skip
def test_what_is_no_python_is_no_code(text: str) -> None:
    assert code_of(answer(text)) == ""


def test_a_program_that_was_written_is_code_and_a_command_is_none() -> None:
    file = FileChange("/home/user/a.py", "created")
    assert code_of(answer("Done.", code=PYTHON, files=(file,))) == "x = 1"
    command = CommandResult("ls", 0)
    assert code_of(answer("Done.", code="ls", files=(file,), commands=(command,))) == ""
    text = FileChange("/home/user/a.txt", "created")
    assert code_of(answer("Done.", code="hello", files=(text,))) == ""


def test_the_header_says_where_the_code_is_from() -> None:
    head = "# from vibekit, session quickstart, run 12 — read before you run"
    assert new_cell("x = 1", "quickstart", 12) == f"{head}\nx = 1"
    assert new_cell("x", "", 0) == "# from vibekit — read before you run\nx"


def test_no_name_of_a_session_ends_the_header() -> None:
    text = new_cell("x = 1", "a\nimport os\r\n\u2028" + "b" * 500, 1)
    first, *rest = text.split("\n")
    assert first.startswith("# from vibekit, session a import os b")
    assert rest == ["x = 1"]
    assert len(text.splitlines()) == 2


def test_nothing_in_the_code_is_hidden_from_its_reader() -> None:
    assert new_cell("x = '\u202e\x1b[8m'\r", "s", 1).endswith("\nx = '\\u202e␛[8m'")
    new_cell("'\ud800'", "s", 1).encode()
