"""What a sandbox's Python has, how large a file may be there, and how much room is left.

This runs in the sandbox, and is never imported: see ``sandbox_has``. It answers with one line of
ASCII JSON between two marks.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import site
import sys

sys.path.append(site.getusersitepackages())
asked = json.loads(os.environ["VIBEKIT_ASKED"])
found = {}
for name in asked["packages"]:
    try:
        found[name] = importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError, TypeError):
        continue
limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
place = os.statvfs(os.environ.get("HOME") or "/")
answer = {
    "python": ".".join(map(str, sys.version_info[:2])),
    "packages": found,
    "file_limit": None if limit == resource.RLIM_INFINITY else limit,
    "free": place.f_bavail * place.f_frsize,
}
mark = os.environ["VIBEKIT_MARK"]
sys.stdout.write(mark + json.dumps(answer) + mark)
