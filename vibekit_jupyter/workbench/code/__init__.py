"""Code that a person runs in a sandbox without a model: the interpreter there, what it tells.

It may import the sandbox, the settings, sessions and the words; it knows no notebook and asks no
model. What comes from a sandbox is a stranger's word: it is checked here before anybody sees it.
"""
