"""What the driver learns when it is first needed: modules that come to it as texts.

This runs in the sandbox, with nothing but the standard library (3.8 and up). See ``driver_script``.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
import threading
from typing import Any

from vibekit_jupyter.workbench.code.driver_forms import OWN


class Texts:
    """Imports modules of one package from their texts; an empty text is a package.

    What lies in the folder of the cells may have the name of a module of the library: the thread
    that learns does not take it for that.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.learner = 0

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return how a module of these is imported, or one that they import; else None."""
        text = self.texts.get(name)
        if text is not None:
            return importlib.machinery.ModuleSpec(name, self, is_package=not text)  # type: ignore[arg-type]  # it is one
        if path is None and threading.get_ident() == self.learner:
            elsewhere = [each for each in sys.path if os.path.isabs(each)]
            return importlib.machinery.PathFinder.find_spec(name, elsewhere, target)
        return None

    def create_module(self, _: Any) -> None:
        """Have an ordinary module made."""

    def exec_module(self, module: Any) -> None:
        """Run a module's text."""
        exec(compile(self.texts[module.__name__], OWN, "exec"), vars(module))


LEARNED: dict[str, Texts] = {}


def learn(request: dict[str, Any], interpreter: Any) -> dict[str, Any]:
    """Take in a package, and return the actions that one of its modules has, by its name.

    Another kernel may use another version of it: each has a name of its own.
    """
    package = request["package"]
    if package not in LEARNED:
        LEARNED[package] = Texts(request["texts"])
        sys.meta_path.insert(0, LEARNED[package])
    texts = LEARNED[package]
    texts.learner = threading.get_ident()
    try:
        module = importlib.import_module(request["module"])
    finally:
        texts.learner = 0
    actions = module.actions(interpreter.names, interpreter.run)
    return {package + "." + name: action for name, action in actions.items()}
