"""Refusals that no waiting helps against: the money is spent, at a gateway or at the vendor.

They come with the statuses of other refusals, which are tried again (429) or blamed on the request
(400), so that their words have to do.
"""

from __future__ import annotations

import re

__all__ = ["is_budget", "is_spent"]

# What a gateway allows: LiteLLM's words and types, and those of others like it.
BUDGET = re.compile(
    r"budget_?exceeded|budget has been exceeded|(over|crossed|exceeded( the| your)?|exhausted) "
    r"budget|budget (is |was )?(exceeded|exhausted)|key limit exceeded|exceeded\w*budget"
    r"|spend(ing)? (limit|cap) (has been |is |was )?(exceeded|reached|hit)"
    r"|(exceeded|reached|hit) (the|its|your) (\w+ ){0,2}spend(ing)? (limit|cap)",
    re.IGNORECASE,
)
# What has been paid for: OpenAI's and Anthropic's words, and OpenRouter's.
CREDIT = re.compile(
    r"insufficient[_ ](quota|credits?|funds|balance)|exceeded your current quota|billing_error"
    r"|credit balance is too low|billing[_ ]hard[_ ]limit"
    r"|reached your specified (workspace )?api usage limit",
    re.IGNORECASE,
)


def is_budget(*words: str | None) -> bool:
    """Whether a refusal says that a budget is used up, in its code or its message."""
    return any(BUDGET.search(text) for text in words if text)


def is_spent(*words: str | None) -> bool:
    """Whether a refusal says that a budget or the account's credit is used up."""
    return is_budget(*words) or any(CREDIT.search(text) for text in words if text)
