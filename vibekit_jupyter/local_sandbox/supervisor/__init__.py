"""What runs beside and inside a sandbox: standard library only, synchronous, no threads.

``zygote`` is started once by the server and forks one ``loop`` per sandbox; ``frames`` is the
language the three of them speak.
"""
