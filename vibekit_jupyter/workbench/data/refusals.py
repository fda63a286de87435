"""The sentences that data is refused with: which value, what is in the way, what to do."""

from __future__ import annotations

from vibekit_jupyter.errors import DataError

__all__ = ["cannot_read", "cannot_send", "missing_package", "size_text", "too_large"]

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def cannot_send(name: str, why: str) -> DataError:
    """Return the refusal of a variable; ``why`` names the column and the way out."""
    return DataError(f"cannot send {name!r}: {why}.")


def cannot_read(path: str, what: str, why: str = "") -> DataError:
    """Return the refusal of a file that is not what its name says."""
    return DataError(
        f"The file {path!r} cannot be read as {what}{f': {why}' if why else ''}.",
        hint="The variable stays as it was.",
    )


def missing_package(package: str, what: str) -> DataError:
    """Return the error for a library that is needed and not there."""
    extra = "'vibekit-jupyter[data]'" if package in ("pandas", "pyarrow") else package
    return DataError(f"{what} needs {package}.", hint=f"Install it: pip install {extra}")


def too_large(what: str, size: int, where: str, limit: int) -> DataError:
    """Return the refusal of what is larger than its place, naming both sizes."""
    return DataError(f"{what} has {size_text(size)}; {where} {size_text(limit)}.")


def size_text(size: int) -> str:
    """Return a number of bytes as a person reads it: ``812 B``, ``3.4 kB``, ``399 MB``."""
    amount = float(size)
    for unit in UNITS:
        if amount < 999.5 or unit == UNITS[-1]:
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == UNITS[0] or amount >= 99.5 else f"{amount:.1f} {unit}"
