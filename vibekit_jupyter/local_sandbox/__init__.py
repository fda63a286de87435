"""An E2B-compatible sandbox server for one machine and one user, a process of its own.

Nothing imports this package; it is started (``python -m vibekit_jupyter.local_sandbox serve``)
and spoken to over HTTP, with E2B's own SDKs. Of the rest it imports the errors and the home
folder.

::

    server (asyncio, aiohttp)  --unix socket-->  zygote  --fork-->  one supervisor per sandbox
      HTTP, records on disk                       small, no threads    confined; spawns commands,
      output: pipe -> HTTP                        makes the rooms      resolves every path

The server never resolves a path of a sandbox and never runs its programs: it hands pipes to
the supervisor and gets opened files back.
"""
