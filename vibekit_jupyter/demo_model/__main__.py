"""Serve the demo model until standard input ends: ``python -m vibekit_jupyter.demo_model``.

The first line of standard input is the key; the one line on standard output is JSON,
``{"url": "http://127.0.0.1:PORT"}``.
"""

from __future__ import annotations

import json
import sys
import threading

from vibekit_jupyter.demo_model.server import DemoServer


def main() -> int:
    """Serve until the parent's end, which closes standard input."""
    key = sys.stdin.readline().strip()
    if not key:
        sys.stderr.write("The demo model wants its key as the first line of standard input.\n")
        return 2
    server = DemoServer(key)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    while sys.stdin.readline():
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
