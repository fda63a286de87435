"""Variables on their way to a sandbox and back, as files: equal after the trip, or refused.

What lives here turns a value into the bytes of a file and a file into a value, and carries such
files. Nothing is pickled, no text of a value becomes code, and no code of a value's own runs: its
type is told by the classes of the libraries that the person has imported. Who runs an agent is
not known here.
"""
