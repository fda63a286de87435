"""One run, from a prompt to a result: its events, its record, what it did to files.

It may import ``sessions`` and what is below it.
"""
