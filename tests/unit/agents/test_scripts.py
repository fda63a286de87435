"""What runs in a sandbox runs on whichever Python is there: 3.8, or one that is not out yet."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import vibekit_jupyter

PACKAGE = Path(vibekit_jupyter.__file__).parent
SCRIPTS = [
    "agents/acp/demo_agent.py",
    "agents/acp/fetch_script.py",
    "agents/find_script.py",
    "agents/python_script.py",
    "agents/relay/relay_script.py",
    "runs/look_script.py",
]
# Of the standard library until 3.13.
GONE = {
    *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils"),
    *("imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes"),
    *("smtpd", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_understood_by_an_old_python_and_imports_what_stays(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text(encoding="ascii"), feature_version=(3, 8))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    assert not {each.partition(".")[0] for each in imported} & GONE
