"""Files in and out of a session's sandbox: what there is, pulled here, pushed there.

It may import ``sessions`` and what is below it. A sandbox's files, names and archives are the work
of whatever ran in it: none is taken at its word, and nothing outside the target is ever written.
"""
