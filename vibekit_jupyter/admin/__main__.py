"""``python -m vibekit_jupyter.admin list | reap``."""

from __future__ import annotations

import sys

from vibekit_jupyter.admin.command_line import main

sys.exit(main())
