"""For administrators: the sandboxes of all users at a service, listed and ended.

A command line, ``python -m vibekit_jupyter.admin``. It may import what is below ``sessions``.
"""
