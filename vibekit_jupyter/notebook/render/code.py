"""Code and diffs as HTML: Pygments finds the words, inline styles colour them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String
from pygments.util import ClassNotFound

from vibekit_jupyter.notebook.render import style
from vibekit_jupyter.notebook.render.limits import check_time, drawn
from vibekit_jupyter.notebook.render.text import escape, visible

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

__all__ = ["code_html", "diff_lines", "highlighted"]

# A lexer is made for code that people write; what is longer than that is shown without colour.
CODE_LIMIT: Final = 20_000
LINE_LIMIT: Final = 1_000
# Of the five hundred lexers, some have expressions that take quadratic time, within which the
# time cannot be looked at.
COLORED: Final = frozenset(
    {
        *("awk", "bash", "bat", "c", "clojure", "cmake", "console", "cpp", "csharp", "css"),
        *("cuda", "dart", "diff", "docker", "elixir", "erlang", "fortran", "go", "graphql"),
        *("haskell", "html", "ini", "java", "javascript", "json", "jsx", "julia", "kotlin"),
        *("latex", "less", "lua", "make", "markdown", "matlab", "nix", "ocaml", "octave"),
        *("perl", "php", "powershell", "protobuf", "pycon", "python", "r", "rst", "ruby"),
        *("rust", "sass", "scala", "scheme", "scss", "sql", "swift", "terraform", "toml", "tsx"),
        *("typescript", "xml", "yaml", "zig"),
    }
)

SIGN: Final = "-webkit-user-select:none;user-select:none"

_COLORS: Final[dict[_TokenType, str]] = {
    Comment: f"{style.words('#7d858e')};font-style:italic",
    Keyword: style.words("#b457c9"),
    Name.Builtin: style.words("#2f7de1"),
    Name.Class: style.words("#2f7de1"),
    Name.Decorator: style.words("#b457c9"),
    Name.Function: style.words("#2f7de1"),
    Name.Tag: style.words("#b457c9"),
    Number: style.words("#1a8a9a"),
    Operator.Word: style.words("#b457c9"),
    String: style.words("#a8701a"),
}


def highlighted(code: str, lexer: Lexer) -> list[str]:
    """Return the code's lines as HTML, each complete in itself."""
    code = visible(code)
    plain = code.split("\n")
    if len(code) > CODE_LIMIT or any(len(line) > LINE_LIMIT for line in plain):
        return [escape(line) for line in plain]
    if COLORED.isdisjoint(lexer.aliases):
        return [escape(line) for line in plain]
    # A line stays a line, whatever the lexer makes of it.
    colored = drawn(lambda: _colored(code, lexer), lambda: "").split("\n")
    return colored if len(colored) == len(plain) else [escape(line) for line in plain]


def _colored(code: str, lexer: Lexer) -> str:
    pieces: list[str] = []
    for kind, value in lexer.get_tokens(code):
        check_time()
        css = _color(kind)
        lines = map(escape, value.split("\n"))
        pieces.append("\n".join(style.span(css, line) if css and line else line for line in lines))
    return "".join(pieces)


def code_html(code: str, language: str = "") -> str:
    """Return a block of code of a language that may be unknown."""
    try:
        lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    return "\n".join(highlighted(code.rstrip("\n"), lexer))


def diff_lines(diff: str, path: str) -> list[str]:
    """Return the lines of a unified diff without header as HTML, coloured as ``path`` says.

    Each is a block of its own, so that they are joined by nothing.
    """
    lines = [line for line in diff.rstrip("\n").split("\n") if not line.startswith("\\ No newline")]
    if lines and _is_hunk(lines[0]):
        del lines[0]
    if not lines:
        return []  # the first line alone was longer than what is kept of a difference
    try:
        lexer = get_lexer_for_filename(path, stripnl=False, ensurenl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False, ensurenl=False)
    bodies = highlighted("\n".join("" if _is_hunk(line) else line[1:] for line in lines), lexer)
    return [_diff_line(line, body) for line, body in zip(lines, bodies, strict=True)]


def _is_hunk(line: str) -> bool:
    return line.startswith("@@")


def _diff_line(line: str, body: str) -> str:
    css = "display:block;padding:0 8px;"
    if _is_hunk(line):
        return style.span(css + style.DIM, "⋯")
    background = {"+": style.ADDED, "-": style.REMOVED}.get(line[:1])
    if background:
        css += f"background-color:{background}"
    sign = {"-": "−"}.get(line[:1], escape(line[:1]) or " ")  # noqa: RUF001  # as wide as a plus
    # Who copies the code does not copy the signs.
    return style.span(css, style.span(SIGN, f"{sign} ") + (body or "<br>"))


def _color(kind: _TokenType) -> str:
    known = (_COLORS[ancestor] for ancestor in reversed(kind.split()) if ancestor in _COLORS)
    return next(known, "")
