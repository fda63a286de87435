"""What a session is, and the registry that remembers them."""
