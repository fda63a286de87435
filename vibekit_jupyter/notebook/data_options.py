"""``-i`` and ``-o`` of a magic's line: names of variables, and the values that they have now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

__all__ = ["variables_of"]


def variables_of(options: Namespace, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``inputs`` and ``outputs`` of ``generate_code`` that a line names.

    Raises
    ------
    DataError
        A name is none, is there twice, or there is no such variable.
    """
    if not options.inputs and not options.outputs:
        return {}
    # Only who sends data pays for it.
    from vibekit_jupyter.workbench.data.known_types import no_variable
    from vibekit_jupyter.workbench.data.luggage import check_inputs, check_names

    inputs, outputs = check_names(_split(options.inputs)), check_names(_split(options.outputs))
    for name in inputs:
        if name not in namespace:
            raise no_variable(name, namespace)
    return {
        "inputs": check_inputs({name: namespace[name] for name in inputs}),
        "outputs": outputs,
    }


def _split(words: Sequence[str]) -> list[str]:
    return [name.strip() for word in words for name in word.split(",")]
