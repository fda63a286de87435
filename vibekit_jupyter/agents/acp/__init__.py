"""Agents that are programs in the sandbox, and speak the Agent Client Protocol (ACP) there.

What they say is a stranger's word, bounded and checked here, and told as our events.
"""
