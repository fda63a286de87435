"""A JupyterHub on one machine, for two users: to be tried, and to be read before a real one.

Everything is on the loopback address, and anybody who knows the password is either user.
"""

import os
from pathlib import Path
from typing import Any

c = get_config()  # noqa: F821  # JupyterHub's own

STATE = Path(os.environ.get("HUB_STATE", "hub-state")).resolve()
PORT = int(os.environ.get("HUB_PORT", "8000"))
# Seconds until a kernel that does nothing is ended, and how often that is looked at.
IDLE = int(os.environ.get("HUB_IDLE", "3600"))
LOOK = max(1, min(300, IDLE // 10))
KEYS = STATE / "keys"

STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{PORT + 1}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PORT + 2}"
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
c.JupyterHub.db_url = f"sqlite:///{STATE / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie-secret")

# Who: a real Hub has an authenticator of its own here.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["HUB_PASSWORD"]
c.Authenticator.allowed_users = {"ada", "ben"}
c.JupyterHub.allow_named_servers = True

# Where: each user has a home, and so a registry of sessions and sandboxes of their own.
c.JupyterHub.spawner_class = "simple"
c.Spawner.http_timeout = 120  # of a machine that starts many servers at once
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "home" / "{username}")
# A real Hub has the site's file in /etc/jupyter of the image.
c.Spawner.environment = {"JUPYTER_CONFIG_PATH": str(Path(__file__).resolve().parent / "site")}
c.Spawner.env_keep = ["PATH", "PYTHONPATH", "LANG", "LC_ALL"]
c.Spawner.args = [
    f"--MappingKernelManager.cull_idle_timeout={IDLE}",
    f"--MappingKernelManager.cull_interval={LOOK}",
    f"--ServerApp.shutdown_no_activity_timeout={IDLE}",
    *(["--allow-root"] if os.geteuid() == 0 else []),
]


def give_keys(spawner: Any) -> None:
    """Hand a user's server what is in ``keys/USER.env``: lines of NAME=VALUE, keys and URLs."""
    file = KEYS / f"{spawner.user.name}.env"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for line in lines:
        name, given, value = line.partition("=")
        if given and not name.startswith("#"):
            spawner.environment[name.strip()] = value.strip()


c.Spawner.pre_spawn_hook = give_keys
