"""What an MCP tool gave back, as what the model is told: data, bounded, a picture as a picture."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vibekit_jupyter.agents.outcome import Outcome
from vibekit_jupyter.agents.picture import MOST_PICTURE, Picture, picture_of
from vibekit_jupyter.agents.wire_text import well_formed
from vibekit_jupyter.sandbox.bounded_text import BoundedText

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["outcome_of"]

MOST_TOLD: Final = 16_000  # characters
MOST_PARTS: Final = 100
KINDS: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
}


async def outcome_of(
    result: Mapping[str, Any], redact: Callable[[str], str], *, pictures: bool
) -> Outcome:
    """Return what the model is told of a tool's result.

    Parameters
    ----------
    redact
        Takes secrets out of texts.
    pictures
        There is room for one; what is more is only named.
    """
    content = result.get("content")
    listed = content if isinstance(content, list) else []
    parts = [part for part in listed if isinstance(part, Mapping)]
    lines: list[str] = []
    picture: Picture | None = None
    for part in parts[:MOST_PARTS]:
        if part.get("type") == "image" and pictures and picture is None:
            picture, line = await _picture(part)
        else:
            line = _line(part)
        lines.append(line)
    if len(parts) > MOST_PARTS:
        lines.append(f"[{len(parts) - MOST_PARTS} more parts are left out]")
    if not any(lines) and result.get("structuredContent") is not None:
        lines = [json.dumps(result["structuredContent"], ensure_ascii=False)]
    told = BoundedText.of(MOST_TOLD)
    told.append(redact(well_formed("\n".join(filter(None, lines)) or "(nothing)")))
    return Outcome(str(told), ok=result.get("isError") is not True, picture=picture)


def _line(part: Mapping[str, Any]) -> str:
    """Return a part in words."""
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "resource", "resource": {"text": str(text)}}:
            return text
        case {"type": "resource_link", "uri": str(uri)}:
            return f"[a resource: {uri[:500]}]"
        case {"type": str(kind)}:
            return f"[a part of kind {kind[:40]!r} that is not shown]"
    return ""


async def _picture(part: Mapping[str, Any]) -> tuple[Picture | None, str]:
    suffix = KINDS.get(str(part.get("mimeType")))
    data = part.get("data")
    if suffix is None or not isinstance(data, str) or len(data) > MOST_PICTURE:
        return None, "[a picture of a kind or a size that is not looked at]"
    try:
        return await picture_of(
            f"picture{suffix}", base64.b64decode(data, validate=True)
        ), "[picture]"
    except ValueError:
        return None, "[a picture that cannot be read]"
