"""The demo model: a loopback server that speaks both model protocols and answers from scripts.

It makes the quickstart, the example notebooks and the tests run the real SDKs, the real tool
loop and real sandboxes with no key and no network. It is a process of its own, one per kernel,
and everything it says says that it is a demo. Nothing imports it, and it imports nothing of the
rest.
"""
