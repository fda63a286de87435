"""What is used and why, in rows for the person: no key, no request, nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from vibekit_jupyter.errors import VibeKitError, said
from vibekit_jupyter.settings.choices import agent_to_ask, choose_e2b, choose_model
from vibekit_jupyter.settings.config import BUILT_IN, SILENCE
from vibekit_jupyter.settings.live import values_of
from vibekit_jupyter.settings.prices import dollars
from vibekit_jupyter.settings.table import TABLE
from vibekit_jupyter.settings.vendors import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vibekit_jupyter.settings.config import Settings
    from vibekit_jupyter.settings.layers import Resolution

__all__ = ["describe", "source_of", "sources"]

Row = tuple[str, str, str]
_ASKED = {"always": "all but looking", "risky": "what is risky"}


def describe(resolution: Resolution) -> Sequence[Row]:
    """Return what is used and why, as rows (what, value, reason), without keys or requests."""
    settings = resolution.settings
    return [
        *_models(settings),
        *_run(settings),
        *_sandboxes(settings),
        *_audit(settings),
        *_mcp(settings),
        *_others(settings),
        *(("not usable", "", str(error)) for error in resolution.errors),
        *(("note", "", note) for note in settings.notes),
    ]


def sources(resolution: Resolution) -> Sequence[Row]:
    """Return every file that was looked at, strongest first, as rows (whose, file, what)."""
    return [
        (
            file.layer,
            file.path,
            " ".join(
                [
                    f"refused: {file.error}" if file.error else "read" if file.found else "missing",
                    *file.warnings,
                ]
            ),
        )
        for file in resolution.files
    ]


def source_of(settings: Settings, name: str, *others: str) -> str:
    """Return where a value comes from, and what is allowed in its place."""
    origin = settings.origin(name)
    locks = [settings.policy.lock(each) for each in (name, *others)]
    return "; ".join(filter(None, [origin, *dict.fromkeys(locks)]))


def _models(settings: Settings) -> Iterator[Row]:
    try:
        agent = agent_to_ask(settings)
        yield (
            "agent",
            agent,
            source_of(settings, "agent")
            if settings.agent == agent
            else _locked("by default", settings),
        )
        model = choose_model(settings, agent, unlock=False)
    except VibeKitError as error:
        yield "model", "not usable", str(error)
        return
    if model is None:
        reason = "as set" if settings.demo else "as neither OpenAI nor Anthropic is configured"
        yield "model", DEMO_MODEL, reason
        return
    yield "model", model.name, source_of(settings, f"{model.agent}.model", "model")
    lock = settings.policy.lock(f"{model.agent}.base_url")
    yield "model service", _bare(model.base_url), "; ".join(filter(None, [model.source, lock]))
    if model.headers:
        names = ", ".join(name for name, _ in model.headers)
        yield "sent along", f"the headers {names}", source_of(settings, f"{model.agent}.headers")
    if model.without:
        yield (
            "left out of requests",
            ", ".join(model.without),
            source_of(settings, f"{model.agent}.without"),
        )


def _locked(reason: str, settings: Settings) -> str:
    return "; ".join(filter(None, [reason, settings.policy.lock("agent")]))


def _run(settings: Settings) -> Iterator[Row]:
    yield "mode", settings.mode, source_of(settings, "mode")
    if settings.approve != "never":
        yield "asked before", _ASKED[settings.approve], source_of(settings, "approve")
    if settings.effort is not None:
        yield "effort", settings.effort, source_of(settings, "effort")
    bounds = {
        "max_steps": f"{settings.max_steps} steps",
        "max_tokens": f"{settings.max_tokens} tokens",
        "max_cost": dollars(settings.max_cost or 0),
    }
    said = [name for name in bounds if getattr(settings, name) is not None]
    whys = dict.fromkeys(source_of(settings, name) for name in said)
    yield "a run's bound", ", ".join(bounds[name] for name in said), ", ".join(whys)
    if settings.max_output_tokens is not None:
        why = source_of(settings, "max_output_tokens")
        yield "an answer's bound", f"{settings.max_output_tokens} tokens", why
    if settings.silence != SILENCE:
        why = source_of(settings, "silence")
        yield "a model's silence", f"{settings.silence:g} s at most", why


def _sandboxes(settings: Settings) -> Iterator[Row]:
    try:
        service = choose_e2b(settings, unlock=False)
    except VibeKitError as error:
        yield "sandboxes", "not usable", str(error)
        return
    lock = settings.policy.lock("environment")
    if service is None:
        is_set = settings.environment == "local"
        reason = settings.origin("environment") if is_set else "as no E2B key is set"
        yield "sandboxes", "local sandbox", "; ".join(filter(None, [reason, lock]))
    else:
        where = f"{service.title} ({_bare(service.api_url or '')})"
        yield "sandboxes", where, "; ".join(filter(None, [service.source, lock]))
        if service.template:
            yield "template", service.template, source_of(settings, "e2b.template")
    for switch in ("internet", "unconfined", "rerun", "insert", "private", "demo", "mcp"):
        if not settings.policy.allows(switch):
            rule = settings.policy.rules[switch][0]
            yield switch, "off", f"from {rule.file}; locked"


# What other rows tell, or what is not shown.
_TOLD: Final = frozenset(
    {"agent", "model", "mode", "effort", "max_steps", "max_tokens", "max_output_tokens"}
    | {"max_cost", "silence", "environment", "demo", "approve", "mcp"}
)
_SHOWN: Final = frozenset({"e2b.request_timeout"})


def _others(settings: Settings) -> Iterator[Row]:
    """Yield what else was set by somebody."""
    for name, value in values_of(settings).items():
        is_told = (TABLE[name].group and name not in _SHOWN) or name in _TOLD
        if is_told or settings.origin(name) == BUILT_IN:
            continue
        shown = ", ".join(value) if name == "prices" else said(value).strip("'")
        yield name, f"of {shown}" if name == "prices" else shown, source_of(settings, name)


def _audit(settings: Settings) -> Iterator[Row]:
    if audit := settings.audit:
        required = ", and no run takes place without it" if audit.required else ""
        prompts = audit.notice or "Runs are written down here, without prompts"
        yield "audit", audit.places, f"{prompts.rstrip('.')}{required}."


def _mcp(settings: Settings) -> Iterator[Row]:
    if settings.mcp:
        from vibekit_jupyter.settings.mcp import shown_url

        for name, server in settings.mcp.items():
            with_key = ", with headers or a key" if len(server) > 1 else ""
            why = f"{source_of(settings, 'mcp')}{with_key}"
            yield f"tools of {name}", shown_url(server["url"]), why


def _bare(url: str) -> str:
    """Return a URL without the credentials that it may hold."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
