"""Which Python a sandbox has, and which packages.

This runs in the sandbox, and is never imported: see ``surroundings``. It answers with one line
of ASCII JSON between two marks.
"""

from __future__ import annotations

import importlib.util
import json
import os
import site
import sys


def is_there(name: str) -> bool:
    """Tell whether a package is installed, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


site.main()
sys.path.append(site.getusersitepackages())
asked = json.loads(os.environ["VIBEKIT_ASKED"])
answer = {
    "version": ".".join(map(str, sys.version_info[:2])),
    "packages": [name for name in asked["packages"] if is_there(name)],
}
mark = os.environ["VIBEKIT_MARK"]
sys.stdout.write(mark + json.dumps(answer) + mark)
