"""An audit that cannot be meant is refused when it is set, not when a run is missed."""

from __future__ import annotations

from typing import Any

import pytest

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.audit import AuditSettings
from vibekit_jupyter.settings.config import Settings
from vibekit_jupyter.settings.described import describe
from vibekit_jupyter.settings.layers import Resolution


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "neither a file nor syslog nor spans"),
        ({"required": True}, "neither a file nor syslog nor spans"),
        ({"file": "audit.jsonl"}, "audit.file is 'audit.jsonl'"),
        ({"file": 3}, "audit.file is '3'"),
        ({"file": ""}, "audit.file is ''"),
        ({"file": "/a\0b"}, "audit.file is "),
        ({"syslog": "localhost:514"}, "audit.syslog is 'localhost:514'"),
        ({"file": "/a", "prompts": "yes"}, "audit.prompts is 'yes'"),
        ({"file": "/a", "required": 1}, "audit.required is 1"),
        ({"spans": "on"}, "audit.spans is 'on'"),
    ],
)
def test_what_is_wrong_is_one_sentence(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AuditSettings(**wrong)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_recorded_is_shown_with_the_settings() -> None:
    quiet = Settings(agent="codex", audit=AuditSettings(file="/var/log/vibekit.jsonl"))
    assert ("audit", "/var/log/vibekit.jsonl", "Runs are written down here, without prompts.") in (
        describe(Resolution(quiet))
    )
    whole = AuditSettings(file="/l", syslog="/dev/log", spans=True, prompts=True, required=True)
    (row,) = [row for row in describe(Resolution(Settings(audit=whole))) if row[0] == "audit"]
    assert row[1] == "/l, /dev/log, spans"
    assert "Your administrator records prompts here" in row[2]
    assert row[2].endswith("and no run takes place without it.")
    assert "records prompts" in whole.notice
    assert quiet.audit is not None
    assert quiet.audit.notice == ""
