"""What a person does in a session's sandbox without a model: files, variables, code of their own.

Each folder adds its methods to the client. It may import ``sessions`` and what is below; none
knows a notebook, or a run of an agent.
"""
