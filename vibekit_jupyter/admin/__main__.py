"""``python -m vibekit_jupyter.admin list | reap``."""

from __future__ import annotations

import os
import sys

from vibekit_jupyter.admin.command_line import main

status = main()
sys.stderr.flush()
# All is said. Threads of the SDK that ask for Python while it ends are killed, and it with them.
os._exit(status)
