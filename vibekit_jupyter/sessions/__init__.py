"""What a session is, the registry that remembers them, and all that is done with them.

It may import ``agents``, ``sandbox``, ``services`` and what is below them, and knows no runs.
"""
