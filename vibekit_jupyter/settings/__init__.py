"""What can be set, where it comes from, and which services are used because of it.

It may import ``errors``, ``events`` and ``results``, and nothing else of this package.
"""
