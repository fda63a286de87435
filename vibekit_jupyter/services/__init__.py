"""The services of this machine that need no account: started on first use, spoken to over HTTP.

It may import ``settings`` and what is below it. The servers themselves are never imported.
"""
