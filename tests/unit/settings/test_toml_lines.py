"""Whatever a name is written like in a file, the line is told on which it stands."""

from __future__ import annotations

import pytest

from vibekit_jupyter.settings.toml_lines import lines_of

TEXT = r'''# x = 1
[tool."vibe\u006bit"]
look = """
[codex]
modle = 1 \"""
"""
a = {b = {c = 1, d = [ {e = 2},
 3 ]}, f.g = 2}
'x.y' = 1
list = [
 "a = 1", # ]
 ["b"],
]
z . y = 1.5e3
[[tool.k]]
q = 1'''


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tool.vibekit", 2),
        ("tool.vibekit.look", 3),
        ("tool.vibekit.a.b.c", 7),
        ("tool.vibekit.a.b.d.e", 7),
        ("tool.vibekit.a.f.g", 8),
        ("tool.vibekit.x.y", 9),
        ("tool.vibekit.list", 10),
        ("tool.vibekit.z.y", 14),
        ("tool.k", 15),
        ("tool.k.q", 16),
    ],
)
def test_a_name_is_found_however_it_is_written(name: str, line: int) -> None:
    found = {".".join(keys): number for keys, number in lines_of(TEXT).items()}
    assert found[name] == line


def test_what_stands_in_a_text_or_a_comment_is_no_name() -> None:
    found = {keys[-1] for keys in lines_of(TEXT)}
    assert not found & {"x", "codex", "modle"}


@pytest.mark.parametrize(
    "text",
    [
        "a." * 60_000 + "b = 1",
        "x = " + "{a=" * 60_000,
        "x = [\n" + '"a=1",\n' * 30_000 + "]",
        "[" + "a." * 60_000 + "b]",
    ],
)
@pytest.mark.timeout(20)
def test_a_hostile_text_is_not_looked_at_for_long(text: str) -> None:
    assert lines_of(text)
