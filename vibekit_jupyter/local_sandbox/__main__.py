"""``python -m vibekit_jupyter.local_sandbox``."""

from vibekit_jupyter.local_sandbox.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
