"""Errors in a cell as one plain line; the traceback is for ``--debug``, and has no secrets."""

from __future__ import annotations

import contextlib
import traceback
from functools import partial
from typing import TYPE_CHECKING

from IPython.core.error import UsageError as IPythonUsageError

from vibekit_jupyter.errors import VibeKitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vibekit_jupyter.runs.redact import Redactor

__all__ = ["UsageError", "no_such_verb", "plain_errors", "show_as_one_line", "show_without_secrets"]


class UsageError(IPythonUsageError):
    """A line that is typed wrongly.

    Of its own class's errors IPython tells a frontend nothing but words on stderr: a notebook
    that is run by a program would pass.
    """

    def _render_traceback_(self) -> list[str]:
        return [_line(self)]


def no_such_verb(magic: str, verb: str, verbs: Sequence[str]) -> UsageError:
    """Return the error for a verb that a magic does not have."""
    import difflib

    near = difflib.get_close_matches(verb, verbs, n=1)
    known = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(verbs)}."
    return UsageError(f"{magic} has no verb {verb!r}. {known}")


def show_as_one_line(error: BaseException) -> None:
    """Have IPython show an error as one line, when it shows it.

    IPython asks an exception for ``_render_traceback_`` before it formats a traceback.
    """
    _show(error, [_line(error)])


def show_without_secrets(error: BaseException, redactor: Redactor, *, whole: bool = False) -> None:
    """Have IPython show an error's traceback without the secrets in it, or in its causes.

    Parameters
    ----------
    whole
        Also where there are none in it, for an error that would be one line.
    """
    if isinstance(error, VibeKitError | UsageError) and not whole:
        return
    text = "".join(traceback.format_exception(error))
    clean = redactor.text(text)
    if whole or clean != text:
        from vibekit_jupyter.notebook.render.text import visible

        _show(error, visible(clean).splitlines())


def _line(error: BaseException) -> str:
    from vibekit_jupyter.notebook.render.text import visible

    words = " ".join(visible(str(error)).split("\n")) or "Interrupted. The session can go on."
    return f"{type(error).__name__}: {words}"


def _show(error: BaseException, lines: Sequence[str]) -> None:
    with contextlib.suppress(AttributeError):  # one that takes no attributes shows itself
        error._render_traceback_ = partial(list, lines)  # type: ignore[attr-defined]  # IPython's protocol


@contextlib.contextmanager
def plain_errors(*, debug: bool = False) -> Iterator[None]:
    """Let errors of ours, and interrupts, show as one line; they are raised all the same."""
    try:
        yield
    except UsageError:
        raise
    except BaseException as error:
        from asyncio import CancelledError

        from vibekit_jupyter.notebook import get_client

        redactor = get_client().redactor
        redactor.cut_causes(error)
        if debug or not isinstance(error, VibeKitError | KeyboardInterrupt | CancelledError):
            show_without_secrets(error, redactor, whole=debug)
        else:
            show_as_one_line(error)
        raise
