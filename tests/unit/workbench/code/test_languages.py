"""What a person wrote is handed to a command, and is never a part of it."""

from __future__ import annotations

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.workbench.code.languages import MOST_PYTHON, check_code, command_of

HOSTILE = "'; rm -rf / #\n$(id) `id` \" \\"


@pytest.mark.parametrize("language", ["bash", "node", "r"])
def test_no_command_is_made_of_what_a_person_wrote(language: str) -> None:
    harmless, hostile = (command_of(language, code) for code in ("1", HOSTILE))  # type: ignore[arg-type]
    assert harmless.command == hostile.command
    assert hostile.envs == {"VIBEKIT_CODE": HOSTILE}


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("", "python"),
        (" \n", "bash"),
        (5, "python"),
        ("x\0y", "python"),
        ("\ud800", "python"),
        ("1", "perl"),
        ("1", None),
        ("x" * 130_000, "bash"),
        ("x" * (MOST_PYTHON + 1), "python"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(code: object, language: object) -> None:
    with pytest.raises(ConfigurationError):
        check_code(code, language)
