"""The agents, their modes and efforts, and what their vendors call their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "ACP_AGENTS",
    "AGENTS",
    "ALL_AGENTS",
    "APPROVALS",
    "CHAT_AGENTS",
    "DEMO_MODEL",
    "EFFORTS",
    "MODES",
    "OWN_AGENT",
    "VENDORS",
    "AgentName",
    "Approve",
    "Mode",
    "Vendor",
    "VendorName",
]

AgentName = Literal["codex", "claude"]
# Whose models are asked: the third one's by a program in the sandbox alone.
VendorName = Literal["codex", "claude", "gemini"]
Mode = Literal["code", "ask"]
Approve = Literal["always", "risky", "never"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
OWN_AGENT = "own"
DEMO_MODEL = "demo"
# Programs that run in the sandbox and speak ACP, and whose vendor's models they ask; None asks
# whichever is configured.
ACP_AGENTS: dict[str, VendorName | None] = {
    "claude-code": "claude",
    "codex-cli": "codex",
    "goose": "codex",
    "opencode": "codex",
    "gemini": "gemini",
    "demo-acp": "codex",
    OWN_AGENT: None,
}
# Of them those that ask it as Chat Completions, which the demo model does not speak.
CHAT_AGENTS = ("goose", "opencode")
ALL_AGENTS: tuple[str, ...] = (*AGENTS, *ACP_AGENTS)
MODES: tuple[Mode, ...] = get_args(Mode)
APPROVALS: tuple[Approve, ...] = get_args(Approve)
# The words for it that both vendors have.
EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True)
class Vendor:
    """What one vendor calls its settings, and which model it is asked for by default."""

    title: str
    key_variables: tuple[str, ...]
    url_variable: str
    default_url: str
    default_model: str


VENDORS: dict[VendorName, Vendor] = {
    "codex": Vendor(
        "OpenAI",
        ("OPENAI_API_KEY",),
        "OPENAI_BASE_URL",
        "https://api.openai.com/v1",
        "gpt-6-astra",
    ),
    "claude": Vendor(
        "Anthropic",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
        "claude-opus-5-5",
    ),
    "gemini": Vendor(
        "Google",
        ("GEMINI_API_KEY",),
        "GOOGLE_GEMINI_BASE_URL",
        "https://generativelanguage.googleapis.com",
        "gemini-2.5-pro",
    ),
}
