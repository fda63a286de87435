"""What an agent asks to be allowed: asked of the person, answered in any case."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.fields import items_in, mapping_in, text_in
from vibekit_jupyter.agents.approvals import needs_asking, stopped
from vibekit_jupyter.agents.risks import path_risks
from vibekit_jupyter.events import ApprovalAsked, Notice

if TYPE_CHECKING:
    from vibekit_jupyter.agents.acp.tool_calls import ToolCallTold
    from vibekit_jupyter.agents.acp.translator import Translator
    from vibekit_jupyter.agents.approvals import Approver
    from vibekit_jupyter.agents.news import News
    from vibekit_jupyter.settings.vendors import Approve

__all__ = ["Permissions"]

# Questions that are open at a time; the others are answered as cancelled.
MOST_OPEN: Final = 20
CANCELLED: Final = {"outcome": {"outcome": "cancelled"}}
WITHOUT_YES: Final = Notice(
    "The agent asked to be allowed something, and none of the answers that it takes allows it: it "
    "was told that the question was cancelled."
)
WANTED: Final = {
    "once": ("allow_once", "allow_always"),
    "session": ("allow_always", "allow_once"),
    "refused": ("reject_once", "reject_always"),
    "stopped": (),
}


class Permissions:
    """The questions of one turn.

    Parameters
    ----------
    approver, approve
        Who is asked, and of what; without anybody everything is allowed.
    news
        What was told before a question is to be seen before it.
    translator
        Knows the tool calls that are asked about.
    """

    def __init__(
        self, approver: Approver | None, approve: Approve, news: News, translator: Translator
    ) -> None:
        self._approver = approver
        self._approve = approve
        self._news = news
        self._translator = translator
        self._open: set[asyncio.Task[Any]] = set()
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped.add_done_callback(lambda stopped: stopped.cancelled() or stopped.exception())

    @property
    def are_open(self) -> bool:
        """Whether somebody is asked now."""
        return bool(self._open)

    async def stopped(self) -> None:
        """Wait until a question is answered with Stop, and raise what that means."""
        await self._stopped

    async def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a call of the agent's; None where it is no question."""
        if method != "session/request_permission":
            return None
        if len(self._open) >= MOST_OPEN or self._stopped.done():
            return CANCELLED
        asking = asyncio.ensure_future(self._ask(params))
        self._open.add(asking)
        try:
            await asyncio.wait([asking])
            return CANCELLED if asking.cancelled() else asking.result()
        finally:
            asking.cancel()
            self._open.discard(asking)

    def cancel(self) -> None:
        """Answer all open questions: agents wait for that, some of them for ever."""
        for asking in self._open:
            asking.cancel()

    async def _ask(self, params: dict[str, Any]) -> dict[str, Any]:
        call, events = self._translator.call(mapping_in(params, "toolCall"))
        for event in events:
            self._news.put(event)
        options = {
            text_in(option, "kind"): text_in(option, "optionId")
            for option in items_in(params, "options")
        }
        asked = _question(call)
        answer = "once"
        if self._approver is not None and needs_asking(asked, self._approve):
            await self._news.all_taken()
            answer = (await self._approver.ask(asked)).answer
        if answer == "stopped" and not self._stopped.done():
            self._stopped.set_exception(stopped())
        chosen = next((options[kind] for kind in WANTED[answer] if options.get(kind)), "")
        if not chosen:
            if answer in ("once", "session"):
                self._news.put(WITHOUT_YES)
            return CANCELLED
        return {"outcome": {"outcome": "selected", "optionId": chosen}}


def _question(call: ToolCallTold) -> ApprovalAsked:
    """Return what a person is asked: with all that is known of what the call does."""
    title = call.title or f"Use {call.tool}?"
    number = secrets.token_hex(16)
    if command := call.given_command or call.command:
        # Beside a file it may be a verb of an editor's: all of it is shown.
        command = call.arguments if call.names_file else command
        title = "Run this command?" if call.given_command else title
        return ApprovalAsked(number, call.call_id, "run_command", title, command=command)
    # A file that is changed beside others may be the one to be asked about.
    path = next(filter(path_risks, call.paths), call.path)
    diff = call.diff
    arguments = "" if diff else call.arguments
    return ApprovalAsked(
        number, call.call_id, call.tool, title, command=arguments, path=path, diff=diff
    )
