"""An agent of a person's own is called what it is, not what runs it."""

from __future__ import annotations

import pytest

from vibekit_jupyter.agents.acp.program import called


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("my-agent --acp", "my-agent"),
        ("/opt/x/my-agent", "my-agent"),
        ("python3 my_agent.py", "my_agent.py"),
        ("/usr/bin/python3.12 -I -m my_agent --acp", "my_agent"),
        ("node /home/user/adapter/index.js", "index.js"),
        ("npx -y @acme/agent", "agent"),
        ("python3", "python3"),
        ("no\u202e-such", "no\\u202e-such"),
    ],
)
def test_an_interpreter_is_not_the_agent(command: str, name: str) -> None:
    assert called(command.split()).replace("\ufffd", "\\u202e") == name


def test_a_source_in_the_command_is_no_name() -> None:
    assert called(["python3", "-c", "import agent\nagent.main()"]) == "python3"
