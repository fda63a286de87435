"""The services of this machine that need no account: started on first use, spoken to over HTTP."""
