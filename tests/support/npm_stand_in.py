"""What a sandbox of another service has for agents: a Node, an npm and programs, all small.

They are programs of the sandbox, found in its login shell's ``PATH``. What this npm installs is
the demo agent, by the name of whatever it was asked for.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibekit_jupyter.sandbox.connection import Sandbox

__all__ = ["HOME", "furnish"]

HOME = "/home/user"
PROFILE = "PATH=$HOME/bin:$PATH\n"
NODE = """#!/bin/bash
[ "$1" = --version ] && { echo v24.1.0; exit; }
exec python3 -I "$@"
"""
# Others of the sandbox's programs are there, and are not started.
PROGRAM = "#!/bin/bash\nexit 9\n"
NPM = r"""#!/usr/bin/env python3
import json, os, sys, time
home = os.path.expanduser("~")
made = sys.argv[sys.argv.index("--prefix") + 1]
lock = json.load(open(made + "/package-lock.json"))
with open(home + "/npm-asked", "a") as file:
    file.write(json.dumps([sorted(lock["packages"]), sys.argv[1:]]) + "\n")
named = [name for one in lock["packages"].values() for name in one.get("optionalDependencies", ())]
if not all("node_modules/" + name in lock["packages"] for name in named):
    sys.exit("npm error package.json and package-lock.json are not in sync")
print("npm http fetch GET 200 https://registry.example/agent/-/agent-1.tgz 12ms", flush=True)
if os.path.exists(home + "/npm-says"):
    print(open(home + "/npm-says").read(), flush=True)
    sys.exit(1)
while os.path.exists(home + "/npm-waits"):
    time.sleep(0.02)
program = made + "/node_modules/@agentclientprotocol/codex-acp/dist/index.js"
os.makedirs(os.path.dirname(program))
os.rename(os.symlink(home + "/agent.py", program + ".new") or program + ".new", program)
"""
# The demo agent asks where Codex CLI is told to ask.
BEGIN = """
import json, os
_told = json.loads(os.environ["CODEX_CONFIG"])
_it = _told["model_providers"]["vibekit"]
os.environ["VIBEKIT_MODEL"] = _told["model"]
os.environ["OPENAI_BASE_URL"] = _it["base_url"]
os.environ["OPENAI_API_KEY"] = _it["http_headers"]["x-api-key"]
"""


async def furnish(sandbox: Sandbox, *programs: str) -> None:
    """Give a sandbox a Node, an npm, and programs of these names."""
    folder = importlib.resources.files("vibekit_jupyter.agents.acp")
    agent = folder.joinpath("demo_agent.py").read_text(encoding="utf-8")
    future = "from __future__ import annotations\n"
    files = {
        ".bash_profile": PROFILE,
        "agent.py": agent.replace(future, future + BEGIN, 1),
        "bin/node": NODE,
        "bin/npm": NPM,
        **{f"bin/{name}": PROGRAM for name in programs},
    }
    for name, text in files.items():
        await sandbox.write_file(f"{HOME}/{name}", text.encode())
    await sandbox.run("chmod +x bin/*")
