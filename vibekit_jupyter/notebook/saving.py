"""What was set in a kernel, written to the user's own file: asked for, and never a key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vibekit_jupyter.errors import ConfigurationError
from vibekit_jupyter.settings import kinds
from vibekit_jupyter.settings.table import TABLE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["save", "with_values"]


def save(given: Mapping[str, Any]) -> str:
    """Write what is set to the user's file; return the sentence that says so.

    What stands in the file besides, comments too, stays as it is.

    Raises
    ------
    ConfigurationError
        The file is refused, or cannot be written.
    """
    from vibekit_jupyter.settings.files import read
    from vibekit_jupyter.settings.home import write_private
    from vibekit_jupyter.settings.places import shown, user_file

    path = user_file()
    if (refused := read(path, "user").error) is not None:
        raise refused
    values = {name: value for name, value in given.items() if _can_stand(name, value)}
    if not values:
        return "Nothing that a file can hold is set in this kernel."
    try:
        target = path.resolve()  # a link of one's own stays one
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = target.read_text(encoding="utf-8-sig") if target.exists() else ""
        text = with_values(before, values)
        _check(text, values, path)
        write_private(target, text)
    except OSError as error:
        raise ConfigurationError(
            f"{shown(path)} cannot be written: {error.strerror}.",
            hint="Make its folder your own, or set JUPYTER_CONFIG_DIR.",
        ) from error
    return f"Saved in {shown(path)}: {', '.join(values)}. Keys are never saved."


def _can_stand(name: str, value: Any) -> bool:
    """Whether a value can be written: no key, no URL with one, nothing that is left open."""
    if name not in TABLE or "user" not in TABLE[name].layers or value is None or value == "auto":
        return False
    if name == "mcp":
        return all(set(server) == {"url"} and "?" not in server["url"] for server in value.values())
    if isinstance(value, Mapping) and TABLE[name].kind is kinds.HEADERS:
        return False
    parts = urlsplit(value) if isinstance(value, str) and "://" in value else None
    return parts is None or not ("@" in parts.netloc or parts.query)


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """Return a file's text with values put in, each into its line or its table."""
    lines = text.splitlines()
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        entry = f"{key} = {_toml(value)}"
        begin, end = _table(lines, group)
        if begin is None:
            lines += [*([""] if lines else []), f"[{group}]", entry]
            continue
        pattern = re.compile(rf"\s*(?:\"{key}\"|'{key}'|{key})\s*=")
        same = next((at for at in range(begin, end) if pattern.match(lines[at])), None)
        if same is None:
            filled = [at for at in range(begin, end) if lines[at].strip()]
            lines.insert(filled[-1] + 1 if filled else begin, entry)
        else:
            lines[same] = entry
    return "\n".join(lines) + "\n"


def _table(lines: list[str], group: str) -> tuple[int | None, int]:
    """Return where a table's entries begin and end; the top's are before the first table."""
    headers = [at for at, line in enumerate(lines) if line.lstrip().startswith("[")]
    if not group:
        return 0, headers[0] if headers else len(lines)
    for at in headers:
        if re.fullmatch(rf"\s*\[\s*{group}\s*\]\s*(#.*)?", lines[at]):
            return at + 1, next((other for other in headers if other > at), len(lines))
    return None, 0


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which is no character of a name.
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _check(text: str, values: Mapping[str, Any], path: Path) -> None:
    """Raise where the text would say something else."""
    import tomllib

    from vibekit_jupyter.settings.places import shown

    try:
        tables = tomllib.loads(text)
    except ValueError:
        tables = {}
    for name, value in values.items():
        group, _, key = name.rpartition(".")
        table = tables.get(group, {}) if group else tables
        said = table.get(key) if isinstance(table, dict) else None
        if said != (list(value) if isinstance(value, tuple) else value):
            raise ConfigurationError(
                f"{shown(path)} is written in a way that cannot be changed here.",
                hint=f"Write {name} into it yourself.",
            )
