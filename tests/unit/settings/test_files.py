"""A file of settings is used as it says, or refused in one sentence with its path and line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings.files import MOST, File, read
from vibekit_jupyter.settings.layers import resolve
from vibekit_jupyter.settings.places import NAME, Places, places
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from vibekit_jupyter.settings.files import FileLayer

SECRET = "sk-very-secret-1"


def said(path: Path, text: str | bytes, layer: FileLayer = "user") -> File:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, layer)


def refusal(file: File) -> str:
    assert file.error is not None
    text = str(file.error)
    assert "\n" not in text
    assert SECRET not in text
    assert file.path in text
    return text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode = 'ask'\nmode = ", "line 2: it is not TOML"),
        (b"mode = 'ask'\n# \xff", "line 2: it is not TOML, for it is not UTF-8"),
        ("a = " + "[" * 5000, "it is not TOML"),
        ("# one\nmodle = 'x'", "line 2: there is no setting 'modle'. Did you mean 'model'?"),
        ("[codex]\nmodl = 'x'", "line 2: there is no setting 'codex.modl'. Did you mean"),
        ("[codex]\n\nbase_url = 7", "line 3: codex.base_url is no text of one line"),
        ("max_steps = '9'", "line 1: max_steps is '9'. It is a whole number"),
        ("max_steps = 0", "line 1: max_steps is 0"),
        ("max_steps = true", "line 1: max_steps is True"),
        ("silence = nan", "line 1: silence is nan"),
        ("mode = 'aks'", "line 1: mode is 'aks', and there is no such mode. Did you mean 'ask'"),
        ("demo = 'on'", "line 1: demo is 'on'. It is true or false."),
        ("codex = 'x'", "line 1: there is no setting 'codex'"),
        ("[e2b]\nkey_command = 'x y'", "line 2: e2b.key_command is no list of words"),
        ("[e2b]\nkey_command = []", "line 2: e2b.key_command is no list of words"),
        (f"[codex]\napi_key = '{SECRET}'", "line 2: it holds a key (codex.api_key)"),
        (f"codex.api_key = '{SECRET}'", "line 1: it holds a key (codex.api_key)"),
        (f"[claude]\napi-key = '{SECRET}'", "line 2: there is no setting 'claude.api-key'"),
        ("x = 1\n" * 50000, "is larger than 256 KiB"),
        ("codex = {model = 'x', base_url = 'ftp://x'}", "line 1: codex.base_url is no http(s) URL"),
        ("[codex]\nkey_file = 'key'", "line 2: codex.key_file is 'key'. Write the whole path"),
        ("[e2b]\nkey_command = ['']", "line 2: e2b.key_command is empty"),
        ("[e2b]\nkey_command = ['./key']", "line 2: e2b.key_command begins with './key'"),
        ("\"m\\u006fdle\" = 'x'", "line 1: there is no setting 'modle'"),
        ("[prices.x]\ninput = 1\noutput = -1", "line 3: [prices] has no valid price for x: output"),
        ("[prices]\n'x*' = {input = true, output = 1}", "line 2: [prices] has no valid price"),
        ("[prices.x]\ninput = 1\n\n[prices.y]\noutput = 1", "line 1: [prices] has no valid"),
        ('[prices."a\\nb"]\ninput = 1', "line 1: [prices] has no valid price for a\ufffdb."),
        ("[codex.headers]\nX-A = 'b'\nHost = 'evil'", "line 3: The header 'Host' is the conn"),
        ("[budget]\nday = -1", "line 2: budget.day is -1"),
        ("[audit]\nfile = '/a'", "line 2 sets audit.file, which only a site's file may"),
        ("project = ' a'", "line 1: ' a' cannot be a project's name"),
        ("silence = 1e300", "line 1: silence is 1e+300"),
        ("#\nmax_steps = 0x" + "f" * 9000, "line 2: max_steps is a number that is too long"),
        ("#\nmax_steps = " + "9" * 9000, "line 2: it is not TOML"),
        ("#\n\nx = " + "[" * 5000, "line 3: it is not TOML (it is nested too deeply)"),
        ('[codex]\nmodel = """\na\nb"""\nmodle = 1', "line 2: codex.model is no text of one line"),
        ("[[codex]]\nmodel = 'x'", "line 1: there is no setting 'codex'"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(said(tmp_path / NAME, text))


@pytest.mark.parametrize(
    "line",
    [
        "codex.base_url = 'http://evil'",
        "codex.key_file = '/etc/shadow'",
        "claude.key_command = ['sh', '-c', 'evil']",
        "e2b.api_url = 'http://evil'",
        "e2b.sandbox_url = 'http://evil'",
        "e2b.domain = 'evil'",
        "e2b.template = 'evil'",
        "environment = 'local'",
        "demo = true",
    ],
)
def test_a_project_says_nothing_of_where_keys_and_data_go(tmp_path: Path, line: str) -> None:
    file = said(tmp_path / "pyproject.toml", f"[tool.vibekit]\n{line}", "project")
    name = line.partition(" ")[0]
    assert f", line 2 sets {name}, which a project's file may not" in refusal(file)
    with pytest.raises(ConfigurationError, match="may not"):
        resolve({}, places=Places(tmp_path / "pyproject.toml"), environ={}).checked()


def test_a_key_in_a_projects_file_is_an_error_and_is_not_shown(tmp_path: Path) -> None:
    text = f"[tool.vibekit.codex]\napi_key = '{SECRET}'"
    assert "it holds a key" in refusal(said(tmp_path / "pyproject.toml", text, "project"))


def test_every_setting_is_a_projects_or_refused(tmp_path: Path) -> None:
    harmless = {
        "agent",
        "model",
        "mode",
        "effort",
        "project",
        "codex.model",
        "claude.model",
        "gemini.model",
    }
    bounds = {"max_steps", "max_tokens", "max_output_tokens", "max_cost"}
    may = {name for name, each in TABLE.items() if "project" in each.layers}
    assert may <= harmless | bounds


@pytest.mark.parametrize(
    "text",
    [
        '[tool."vibekit"]\ncodex.base_url = "http://evil"',
        '[tool."vibe\\u006bit".codex]\nbase_url = "http://evil"',
        'tool."\\U00000076ibekit"."codex"."base_url" = "http://evil"',
        'tool = {vibekit = {codex = {base_url = "http://evil"}}}',
        '\ufeff[tool.vibekit]\r\n"codex.base_url" = "http://evil"\r\n',
        '[tool.vibekit.codex]\n"base\\u005furl" = "http://evil"',
    ],
)
def test_however_a_project_writes_it_keys_and_data_stay(tmp_path: Path, text: str) -> None:
    refused = refusal(said(tmp_path / "pyproject.toml", text, "project"))
    assert re.search(r"pyproject\.toml, line [12] sets codex\.base_url, which a project", refused)


@pytest.mark.parametrize(
    "text", ["tool = 1", "[[tool]]", "[tool]\nvibekit = 'x'", "[[tool.vibekit]]"]
)
def test_a_project_whose_table_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = said(tmp_path / "pyproject.toml", f"# vibekit\n{text}", "project")
    assert re.search(r"line [23]: (tool|vibekit) is no table", refusal(file))


def test_a_mark_before_the_first_letter_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = said(tmp_path / NAME, "\ufeffmode = 'ask'\r\n")
    assert (file.error, file.values) == (None, {"mode": "ask"})


@pytest.mark.parametrize(
    ("text", "line"), [("", 1), ("required = true", 1), ("spans = false", 1), ("file = 'a'", 2)]
)
def test_a_sites_audit_that_is_nowhere_is_refused(tmp_path: Path, text: str, line: int) -> None:
    refused = refusal(said(tmp_path / NAME, f"[audit]\n{text}\n", "site"))
    assert f"line {line}: " in refused
    assert "neither a file nor syslog" in refused or "Write the whole path" in refused


def test_what_is_done_to_settings_does_not_change_what_the_file_says(tmp_path: Path) -> None:
    text = "[prices.x]\ninput = 1\noutput = 2\n[codex]\nheaders = {A = 'b'}"
    values = said(tmp_path / NAME, text, "site").values
    values["prices"]["x"]["input"] = 0
    values["prices"]["y"] = {}
    values["codex.headers"].clear()
    assert read(tmp_path / NAME, "site").values == {
        "prices": {"x": {"input": 1, "output": 2}},
        "codex.headers": {"A": "b"},
    }


@pytest.mark.parametrize("text", ["", "x = [", "[tool.other]\nx = 1", "[tool]\n", "# a\xff"])
def test_a_project_that_says_nothing_to_us_is_left_alone(tmp_path: Path, text: str) -> None:
    file = said(tmp_path / "pyproject.toml", text.encode("latin-1"), "project")
    assert (file.error, file.values) == (None, {})


@pytest.mark.parametrize("layer", ["project", "user", "site"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, layer: FileLayer) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        assert "is no ordinary file" in refusal(read(tmp_path / name, layer))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("loop", "nowhere"):
        assert refusal(read(tmp_path / name, layer))
    assert not read(tmp_path / "missing", layer).found
    assert not read(tmp_path / "pipe" / "missing", layer).found


@pytest.mark.parametrize("layer", ["project", "site"])
def test_a_link_to_elsewhere_is_refused(tmp_path: Path, layer: FileLayer) -> None:
    (tmp_path / "theirs.toml").write_text("# vibekit\n[policy]")
    folder = tmp_path / "here"
    (folder / "..data").mkdir(parents=True)
    (folder / "link.toml").symlink_to(tmp_path / "theirs.toml")
    assert "is a link to elsewhere" in refusal(read(folder / "link.toml", layer))
    # As a cluster mounts a file of configuration.
    (folder / "..data" / NAME).write_text("")
    (folder / NAME).symlink_to(f"..data/{NAME}")
    assert read(folder / NAME, layer).error is None


def test_a_users_link_may_lead_to_their_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    dotfiles = tmp_path / "ada" / "dotfiles"
    dotfiles.mkdir(parents=True)
    (dotfiles / NAME).write_text("mode = 'ask'")
    (tmp_path / "ada" / ".jupyter").mkdir()
    (tmp_path / "ada" / ".jupyter" / NAME).symlink_to(dotfiles / NAME)
    assert read(tmp_path / "ada" / ".jupyter" / NAME, "user").values == {"mode": "ask"}


def test_a_file_that_everybody_can_change_is_named(tmp_path: Path) -> None:
    said(tmp_path / NAME, "mode = 'ask'")
    (tmp_path / NAME).chmod(0o666)
    (warning,) = read(tmp_path / NAME, "user").warnings
    assert f"{tmp_path / NAME} can be changed by everybody" in warning
    settings = resolve({}, places=Places(user=tmp_path / NAME), environ={}).checked()
    assert settings.notes == (warning,)


@pytest.mark.parametrize("layer", ["project", "user"])
def test_a_policy_elsewhere_than_in_a_sites_file_is_ignored_with_a_line(
    tmp_path: Path, layer: FileLayer
) -> None:
    prefix = "tool.vibekit." if layer == "project" else ""
    file = said(tmp_path / "any.toml", f"[{prefix}policy]\nagent = ['codex']", layer)
    assert (file.error, file.rules) == (None, [])
    assert any("line 1: its [policy] is ignored" in warning for warning in file.warnings)


@drawn(st.binary(max_size=200))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_bytes(b"# vibekit\n" + data)
        for layer in ("project", "user", "site"):
            file = read(path, layer)
            assert file.error is None or "\n" not in str(file.error)


def test_long_lines_are_not_looked_at_for_long(tmp_path: Path) -> None:
    text = "modle = 1\n" + " " * (MOST - 100)
    assert "line 1: there is no setting 'modle'" in refusal(said(tmp_path / NAME, text))


def test_the_nearest_project_is_found_and_not_past_a_repository_or_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    deep = home / "outer" / "inner" / "notebooks"
    deep.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "pyproject.toml").touch()
    assert places(deep, {}).project is None
    (home / "outer" / "pyproject.toml").touch()
    assert places(deep, {}).project == home / "outer" / "pyproject.toml"
    (home / "outer" / "inner" / ".git").touch()  # as a worktree or a submodule has it
    assert places(deep, {}).project is None
    (home / "outer" / "inner" / "pyproject.toml").touch()
    assert places(deep, {}).project == home / "outer" / "inner" / "pyproject.toml"
    assert places(home, {}).project is None
    assert places(tmp_path, {}).project == tmp_path / "pyproject.toml"


def test_the_folders_are_jupyters() -> None:
    found = places(Path("/"), {"JUPYTER_CONFIG_DIR": "/u", "JUPYTER_CONFIG_PATH": "/a:/b::rel"})
    assert found.user == Path("/u") / NAME
    assert [str(path.parent) for path in found.sites[:2]] == ["/a", "/b"]
    assert [str(path.parent) for path in found.sites[-2:]] == [
        "/usr/local/etc/jupyter",
        "/etc/jupyter",
    ]
    assert len(found.sites) == 5
    # A file of the site's stays one, whatever a user's folder is called.
    assert places(Path("/"), {"JUPYTER_CONFIG_DIR": "/etc/jupyter"}).user is None
