"""What the pages say of the code, taken from the code: help texts, errors, names of types."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from vibekit_jupyter import errors
from vibekit_jupyter.notebook.code_magic import RUN
from vibekit_jupyter.notebook.config_magic import AGENT_PROGRAMS, CONFIG, KEY, MCP, USAGE
from vibekit_jupyter.notebook.files_magic import COMMANDS as FILES
from vibekit_jupyter.notebook.magics import CELL, LINE
from vibekit_jupyter.notebook.session_magic import VERBS
from vibekit_jupyter.settings.table import rows as settings_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from vibekit_jupyter.notebook.arguments import Command

MAGICS: dict[str, Sequence[Command]] = {
    "vibekit": (CELL, LINE),
    "vibekit_run": (RUN,),
    "vibekit_session": [verb.command for verb in VERBS.values()],
    "vibekit_files": list(FILES.values()),
    "vibekit_config": (CONFIG, AGENT_PROGRAMS, KEY, MCP, USAGE),
}
WHERE = {
    frozenset({"kernel", "project", "user", "site"}): "all",
    frozenset({"kernel", "user", "site"}): "not a project",
    frozenset({"kernel"}): "kernel",
    frozenset({"site"}): "site",
}
BLOB = "https://github.com/vibekit-jupyter/vibekit-jupyter/blob/main"
# The documents of the repository that are pages, too.
PAGES = {
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


class MagicHelp(SphinxDirective):
    """The help of each command of a magic: ``{magic} vibekit_session``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a section for each command."""
        text = "\n".join(
            f"## {command.name}\n\n```text\n{command.help().rstrip()}\n```\n"
            for command in MAGICS[self.arguments[0]]
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class SettingsTable(SphinxDirective):
    """Every setting with the environment's name for it, what it does, and who may set it."""

    def run(self) -> list[nodes.Node]:
        """Return a table."""
        lines = [":::{list-table}", ":header-rows: 1", ":class: settings", ":widths: 36 50 14"]
        lines += _row("Setting", "What it does", "Where")
        for name, values, default, who, variables, help_text in settings_rows():
            names = [f"`{name}`", *(f"`{each}`" for each in variables.split(", ") if each)]
            taken = f"{values}; default: `{default}`" if default else values
            lines += _row("\n\n".join(names), f"{help_text}\n\n{taken}", _where(who))
        return self.parse_text_to_nodes("\n".join([*lines, ":::"]))


def _row(*cells: str) -> Iterator[str]:
    for mark, cell in zip("*  ", cells, strict=True):
        first, *more = cell.split("\n")
        yield f"{mark} - {first}".rstrip()
        yield from (f"    {line}".rstrip() for line in more)


def _where(who: str) -> str:
    """Return in which layers a setting can stand, the environment aside: that has its variables."""
    layers = set(who.split(", ")) - {"environment"}
    return WHERE[frozenset(layers)]


class ErrorTree(SphinxDirective):
    """Each class of errors, with what the file that is named says of it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return a section for each class."""
        _, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        classes = {cls.__name__: cls for cls in _tree(errors.VibeKitError)}
        if told.keys() != classes.keys():
            raise self.severe(f"{path}: not told of, or not there: {told.keys() ^ classes.keys()}")
        text = "\n".join(_of_error(cls, **told[name]) for name, cls in classes.items())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _tree(cls: type[errors.VibeKitError]) -> Iterator[type[errors.VibeKitError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def _of_error(cls: type[errors.VibeKitError], *, why: str, do: str) -> str:
    summary = (inspect.getdoc(cls) or "").partition("\n\n")[0].partition(" (seed")[0].rstrip(".")
    parent = "" if cls is errors.VibeKitError else f"A {{py:exc}}`{cls.__base__.__name__}`.\n"
    return f"""
## {cls.__name__}

:::{{py:exception}} {cls.__module__}.{cls.__name__}
:no-contents-entry:
{summary}.

{parent}
:::

**Why**
: {why.strip()}

**What to do**
: {do.strip()}
"""


def find_by_last_part(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Find a name that is imported for type checkers alone: annotations say its last part."""
    if node["refdomain"] != "py":
        return None
    target = node["reftarget"].rpartition(".")[2]
    objects = env.domains.python_domain.objects
    found = {entry.node_id: entry for name, entry in objects.items() if name.endswith(f".{target}")}
    if len(found) != 1:
        return None
    (entry,) = found.values()
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, target)


def show_factories(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, sig: str, returns: str
) -> tuple[str, str] | None:
    """Show three dots for a default that is made anew each time: its own form is no Python."""
    return (sig.replace("<factory>", "..."), returns) if sig and "<factory>" in sig else None


def lead_elsewhere(_app: Sphinx, _path: Path, _page: str, content: list[str]) -> None:
    """Have the links of a document of the repository lead to pages, or to the repository."""

    def target(match: re.Match[str]) -> str:
        return f"]({PAGES.get(match[1], f'{BLOB}/{match[1]}')})"

    content[0] = re.sub(r"\]\(([\w./-]+)\)", target, content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("magic", MagicHelp)
    app.add_directive("settings-table", SettingsTable)
    app.add_directive("error-tree", ErrorTree)
    app.connect("autodoc-process-signature", show_factories)
    app.connect("include-read", lead_elsewhere)
    app.connect("missing-reference", find_by_last_part)
    return {"parallel_read_safe": True}
