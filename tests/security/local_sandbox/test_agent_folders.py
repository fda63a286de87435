"""The agents that a person installed: every sandbox runs them, and none changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox_server import sandbox_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2b import Sandbox

pytestmark = pytest.mark.attack

PROGRAM = "#!/bin/sh\necho ran\n"
SEEN = {"bubblewrap": "/opt/sandbox/agents"}
# What can be tried on a file or folder that is not one's own; each says so where it works.
ATTACKS = (
    'echo BAD > "$A/program"',
    'echo BAD >> "$A/program"',
    "python3 -c \"import os; os.truncate(os.environ['A'] + '/program', 0)\"",
    'rm -f "$A/program"',
    'mv "$A/program" "$A/other"',
    'touch "$A/planted"',
    'mkdir "$A/planted"',
    'ln -s /etc/passwd "$A/planted"',
    'ln "$A/program" "$HOME/linked" && echo BAD > "$HOME/linked"',
    'mkdir "$A/../planted"',
    'mv "$A" "$A-2"',
    'mount -o remount,rw "$A"',
    'rm -rf "$A"',
)


@pytest.fixture(params=["bubblewrap", "landlock"])
def place(
    request: pytest.FixtureRequest, vibekit_home: Path, tmp_path: Path
) -> Iterator[tuple[Sandbox, str, Path]]:
    """A sandbox of each level that confines, where it sees the agents, and where they are."""
    from e2b import Sandbox as Made

    folder = vibekit_home / "agents" / "some-1.0"
    folder.mkdir(parents=True)
    vibekit_home.chmod(0o700)
    (folder / "program").write_text(PROGRAM)
    (folder / "program").chmod(0o755)
    (vibekit_home / "sessions.sqlite").write_text("BAIT")
    (vibekit_home / "agents.secret").write_text("BAIT")
    options = ("--confine", request.param)
    launcher = ("env", f"VIBEKIT_HOME={vibekit_home}")
    with sandbox_server(tmp_path / "server", *options, launcher=launcher) as server:
        seen = SEEN.get(request.param, str(folder.parent))
        yield Made.create(**server.where), seen, folder


def test_agents_run_and_nothing_of_them_can_be_changed(place: tuple[Sandbox, str, Path]) -> None:
    sandbox, seen, folder = place
    envs = {"A": f"{seen}/some-1.0"}
    assert sandbox.commands.run('"$A/program"', envs=envs).stdout == "ran\n"
    tried = "\n".join(f"( {attack} ) 2>/dev/null && echo DID: '{n}'" for n, attack in
                      enumerate(ATTACKS))  # fmt: skip
    said = sandbox.commands.run(f"{tried}\ntrue", envs=envs).stdout
    assert "DID" not in said
    assert (folder / "program").read_text() == PROGRAM
    assert [path.name for path in folder.parent.iterdir()] == ["some-1.0"]
    assert [path.name for path in folder.iterdir()] == ["program"]


def test_nothing_beside_them_can_be_read(
    place: tuple[Sandbox, str, Path], vibekit_home: Path
) -> None:
    sandbox, seen, _ = place
    for folder in (seen + "/..", str(vibekit_home), f"{seen}/some-1.0/../.."):
        said = sandbox.commands.run(
            'ls "$B"; cat "$B/sessions.sqlite" "$B/agents.secret"; true', envs={"B": folder}
        ).stdout
        assert "BAIT" not in said
        assert "sessions.sqlite" not in said


def test_a_link_among_them_leads_nowhere(
    place: tuple[Sandbox, str, Path], vibekit_home: Path
) -> None:
    sandbox, seen, folder = place
    (folder / "link").symlink_to(vibekit_home / "sessions.sqlite")
    said = sandbox.commands.run('cat "$A/some-1.0/link"; true', envs={"A": seen})
    assert "BAIT" not in said.stdout


def test_what_is_installed_later_shows(place: tuple[Sandbox, str, Path]) -> None:
    sandbox, seen, folder = place
    made = folder.parent / ".new-1"
    made.mkdir()
    (made / "program").write_text(PROGRAM)
    (made / "program").chmod(0o755)
    made.rename(folder.parent / "other-1.0")
    assert sandbox.commands.run('"$A/other-1.0/program"', envs={"A": seen}).stdout == "ran\n"
