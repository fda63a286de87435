"""What a transfer will write, settled before its first byte: names, clashes, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from vibekit_jupyter.errors import FilesError
from vibekit_jupyter.workbench.data.refusals import size_text
from vibekit_jupyter.workbench.files.names import parts_of
from vibekit_jupyter.workbench.files.outcome import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vibekit_jupyter.workbench.files.in_sandbox import Kind

__all__ = ["LARGE", "SMALL", "Item", "batches", "check_room", "planned"]

# Up to this size files travel together; from that one on a transfer can be gone on with.
SMALL: Final = 4 * 1024**2
LARGE: Final = 64 * 1024**2
# One archive lies whole in the sandbox.
MOST_TOGETHER: Final = 256 * 1024**2
MOST_IN_ONE: Final = 20_000

ItemT = TypeVar("ItemT", bound="Item")


@dataclass(frozen=True)
class Item:
    """Something to bring: where it is, and the parts of its path below the target."""

    path: str
    name: str
    kind: Kind
    size: int
    changed: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its path, all of them harmless."""
        return tuple(self.name.split("/"))


def planned(items: Iterable[Item], *, case_blind: bool) -> tuple[list[Item], list[LeftOut]]:
    """Return what is brought, each once, and what is left out.

    Raises
    ------
    FilesError
        Two of them would have one name.
    """
    taken: dict[str, Item] = {}
    left: list[LeftOut] = []
    for item in items:
        try:
            parts_of(item.name)
        except ValueError as error:
            left.append(LeftOut(item.path, str(error)))
            continue
        if item.kind in ("link", "other"):
            what = "a link" if item.kind == "link" else "neither a file nor a folder"
            left.append(LeftOut(item.path, f"it is {what}"))
            continue
        key = item.name.casefold() if case_blind else item.name
        other = taken.setdefault(key, item)
        if other.path != item.path:
            alike = "" if other.name == item.name else ", for this disk knows no case"
            raise FilesError(
                f"{other.path!r} and {item.path!r} would both be {item.name!r}{alike}.",
                hint="Ask for the folder above them, or for one after the other.",
            )
    return [*taken.values()], left


def check_room(items: Iterable[Item], free: int) -> None:
    """Raise where the files have no room here."""
    needed = sum(item.size for item in items)
    if needed > free:
        raise FilesError(
            f"There is not enough room here: {size_text(needed)} are asked for, and the disk has "
            f"{size_text(free)}.",
            hint="Make room, or ask for fewer files.",
        )


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield files that travel together."""
    batch: list[Item] = []
    room = MOST_TOGETHER
    for item in items:
        if batch and (item.size > room or len(batch) == MOST_IN_ONE):
            yield batch
            batch, room = [], MOST_TOGETHER
        batch.append(item)
        room -= item.size
    if batch:
        yield batch
