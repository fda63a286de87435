"""A setting is one entry of the table: everything that reads or shows settings has it then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.surroundings import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """
from vibekit_jupyter.settings import kinds, table
from vibekit_jupyter.settings.setting import Setting

kind = kinds.one_of(("plain", "kind"), "tone")
table.TABLE["tone"] = Setting(
    "tone", kind, "how it speaks", "plain",
    variables=("VIBEKIT_TONE",), run=True, option="--tone", trait=True, open="default is plain",
)
"""
USE = """
import asyncio, io, json, os, sys
from contextlib import redirect_stdout
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

told = {}
user, site = (Path(os.environ[name]) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"))


def settings(kit):
    resolution = kit.layers.resolve()
    return [resolution.settings.value("tone"), resolution.settings.origin("tone")]


def said(run):
    shown = io.StringIO()
    with redirect_stdout(shown):
        run()
    return shown.getvalue()


def error_of(run):
    try:
        run()
    except Exception as error:
        return str(error)


from vibekit_jupyter import VibeKit
from vibekit_jupyter.settings.table import rows

told["default"] = settings(VibeKit("codex"))
told["mapping"] = settings(VibeKit({"type": "codex", "tone": "kind"}))
told["wrong mapping"] = error_of(lambda: VibeKit({"type": "codex", "tone": "rude"}))
os.environ["VIBEKIT_TONE"] = "kind"
told["variable"] = settings(VibeKit("codex"))
del os.environ["VIBEKIT_TONE"]
Path("pyproject.toml").write_text("[tool.vibekit]\\ntone = 'kind'")
told["project"] = settings(VibeKit("codex"))
Path("pyproject.toml").write_text("[tool.vibekit]\\ntone = 'rude'")
told["wrong file"] = error_of(lambda: VibeKit("codex").settings)
Path("pyproject.toml").unlink()
(user / "vibekit.toml").write_text("tone = 'kind'")
told["file"] = settings(VibeKit("codex"))
told["row"] = [row for row in VibeKit("codex").configuration() if row[0] == "tone"]
(user / "vibekit.toml").unlink()
(site / "vibekit.toml").write_text("[policy]\\ntone = ['kind']")
told["policy"] = error_of(lambda: VibeKit("codex").settings)
kind = VibeKit({"type": "codex", "tone": "kind"})
told["run"] = error_of(lambda: asyncio.run(kind.generate_code("hello", tone="plain")))
(site / "vibekit.toml").unlink()
told["docs"] = [row for row in rows() if row[0] == "tone"]

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "vibekit_jupyter")
told["help"] = said(lambda: shell.run_line_magic("vibekit", "--help"))
told["trait"] = said(lambda: shell.run_line_magic("config", "VibekitMagics"))
said(lambda: shell.run_line_magic("config", "VibekitMagics.tone = 'kind'"))
from vibekit_jupyter import get_client
told["of the trait"] = settings(get_client().vibekit)
said(lambda: shell.run_line_magic("vibekit_config", "--tone plain"))
told["option"] = settings(get_client().vibekit)
told["completion"] = shell.complete("%%vibekit --to", "%%vibekit --to")[1]
said(lambda: shell.run_line_magic("vibekit_config", "--tone kind --save"))
told["saved"] = (user / "vibekit.toml").read_text()
(site / "vibekit.toml").write_text("[policy]\\ntone = ['kind']")
told["cell"] = said(lambda: shell.run_cell("%%vibekit --tone plain\\nhello"))
sys.__stdout__.write(json.dumps(told))
"""


@pytest.mark.timeout(60)
def test_a_setting_is_one_entry(tmp_path: Path) -> None:
    for name in ("user", "site", "home", "project", "ipython"):
        (tmp_path / name).mkdir()
    environment = {
        **clean_environment(),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "user"),
        "JUPYTER_CONFIG_PATH": str(tmp_path / "site"),
        "HOME": str(tmp_path),
        "VIBEKIT_HOME": str(tmp_path / "home"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", ENTRY + USE],
        env=environment,
        cwd=tmp_path / "project",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    folder = os.fspath(tmp_path)
    assert told["default"] == ["plain", "built in"]
    assert told["mapping"] == ["kind", "as set here"]
    assert "there is no such tone. Known: plain, kind" in told["wrong mapping"]
    assert told["variable"] == ["kind", "from VIBEKIT_TONE"]
    assert told["project"] == ["kind", "from ~/project/pyproject.toml"]
    assert told["wrong file"].startswith("~/project/pyproject.toml, line 2: tone is 'rude'")
    assert told["file"] == ["kind", "from ~/user/vibekit.toml"]
    assert told["row"] == [["tone", "kind", "from ~/user/vibekit.toml"]]
    for name in ("policy", "run", "cell"):
        assert "tone is 'plain'" in told[name], name
        assert f"which your administrator does not allow here ({'~'}/site" in told[name], name
    assert told["docs"] == [
        [
            "tone",
            "plain or kind",
            "plain",
            "kernel, environment, project, user, site",
            "VIBEKIT_TONE",
            "how it speaks",
        ]
    ]
    assert "--tone" in told["help"]
    assert "VibekitMagics.tone" in told["trait"]
    assert told["of the trait"] == ["kind", "as set here"]
    assert told["option"] == ["plain", "as set here"]
    assert any("--tone" in match for match in told["completion"])
    assert told["saved"] == 'tone = "kind"\n'
    assert folder not in told["saved"]
