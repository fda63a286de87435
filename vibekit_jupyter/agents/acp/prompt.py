"""What an agent in a sandbox is prompted with: words, and the pictures that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.acp.fields import mapping_in
from vibekit_jupyter.errors import ContextTooLongError, ModelRequestError
from vibekit_jupyter.events import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from vibekit_jupyter.agents.memory import Memory
    from vibekit_jupyter.agents.picture import Picture
    from vibekit_jupyter.settings.config import Model

    Pictures = Callable[[], Awaitable[Mapping[str, Picture]]]

__all__ = ["Prompt"]

UNSEEN: Final = Notice(
    "The model service may not take pictures: the next prompts of this kernel go without, and the "
    "agent is told anew what was said."
)
# The models that refused a prompt with pictures: the service and the name.
_blind: set[tuple[str, str]] = set()


@dataclass
class Prompt:
    """The prompt of one turn.

    Attributes
    ----------
    model
        Which one is asked.
    pictures
        Returns them by their paths in the sandbox; None where there are none.
    has_pictures
        Some went with it.
    """

    model: Model
    pictures: Pictures | None = None
    has_pictures: bool = False

    async def blocks(self, texts: Sequence[str], able: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what the agent is sent; the last text is what the person wrote.

        Parameters
        ----------
        able
            What the agent said of itself. One that takes no pictures is told of their files alone,
            as part of the texts.
        """
        blocks = [_text(text) for text in texts if text]
        takes = mapping_in(able, "promptCapabilities").get("image") is True
        if takes and self.pictures is not None and self._seen_by not in _blind:
            for path, picture in (await self.pictures()).items():
                shown = {"type": "image", "mimeType": picture.media_type, "data": picture.data}
                blocks[-1:-1] = [_text(f"{path}:"), shown]
                self.has_pictures = True
        return blocks

    def failed(self, error: BaseException, memory: Memory, agent: str) -> Notice | None:
        """Take note of why the turn failed: an agent's own session would send pictures again."""
        if not self.has_pictures or isinstance(error, ContextTooLongError):
            return None
        if not isinstance(error, ModelRequestError):
            return None
        _blind.add(self._seen_by)
        memory.forget(agent)
        return UNSEEN

    @property
    def _seen_by(self) -> tuple[str, str]:
        return self.model.base_url, self.model.name


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
