"""What the driver learns when it is first needed: modules that come to it as texts.

This runs in the sandbox, with nothing but the standard library (3.8 and up). See ``driver_script``.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
from typing import Any

from vibekit_jupyter.workbench.code.driver_forms import OWN


class Texts:
    """Imports modules of one package from their texts; an empty text is a package."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def find_spec(self, name: str, *_: Any) -> Any:
        """Return how a module of these is imported; None for any other."""
        text = self.texts.get(name)
        if text is None:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=not text)  # type: ignore[arg-type]  # it is one

    def create_module(self, _: Any) -> None:
        """Have an ordinary module made."""

    def exec_module(self, module: Any) -> None:
        """Run a module's text."""
        exec(compile(self.texts[module.__name__], OWN, "exec"), vars(module))


def learn(request: dict[str, Any], interpreter: Any) -> dict[str, Any]:
    """Take in a package, and return the actions that one of its modules has, by its name.

    Another kernel may use another version of it: each has a name of its own.
    """
    package = request["package"]
    if package not in sys.modules:
        sys.meta_path.append(Texts(request["texts"]))
    # What lies in the folder of the cells may have the name of a module of the library.
    path, sys.path = sys.path, [each for each in sys.path if os.path.isabs(each)]
    try:
        module = importlib.import_module(request["module"])
    finally:
        sys.path = path
    actions = module.actions(interpreter.names, interpreter.run)
    return {package + "." + name: action for name, action in actions.items()}
