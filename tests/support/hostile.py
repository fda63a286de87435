"""What an agent may be made to say, to script the page or to call home."""

from __future__ import annotations

import base64

from vibekit_jupyter.events import (
    CommandOutput,
    Event,
    FileShown,
    Notice,
    RunFinished,
    RunStarted,
    SessionReady,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from vibekit_jupyter.results import CommandResult, FileChange, Usage

HOST = "attacker.invalid"
SAYINGS = (
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    f"<img src='http://{HOST}/pixel.png'>",
    "<svg onload='window.owned = 1'><script>window.owned = 1</script></svg>",
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    f"<iframe src='http://{HOST}/'></iframe>",
    f"<link rel=stylesheet href='http://{HOST}/a.css'>",
    f"<style>@import 'http://{HOST}/b.css'; body {{ display: none }}</style>",
    f"<base href='http://{HOST}/'>",
    f"<meta http-equiv=refresh content='0;url=http://{HOST}/'>",
    f"<form action='http://{HOST}/'><input name=q autofocus onfocus='window.owned = 1'></form>",
    f"<video src='http://{HOST}/v.mp4' autoplay></video>",
    "<button data-commandlinker-command='apputils:reset' data-commandlinker-args='{}'>x</button>",
    "<a id=jupyterapp name=jupyterapp href='javascript:window.owned = 1'>x</a>",
    "<details open ontoggle='window.owned = 1'>x</details>",
    f"![pixel](http://{HOST}/markdown.png)",
    f"![pixel][ref]\n\n[ref]: http://{HOST}/reference.png",
    "[click](javascript:window.owned=1) [click](JaVaScRiPt:window.owned=1)",
    "[click](data:text/html,<script>window.owned=1</script>) <javascript:window.owned=1>",
    "[file](files/secret.txt) [vb](vbscript:x)",
    "```html\n<script>window.owned = 1</script>\n```",
    '```"><script>window.owned=1</script>\ncode\n```',
    "| <script>window.owned=1</script> |\n|---|\n| <img src=x onerror='window.owned=1'> |",
    "$\\href{javascript:window.owned=1}{x}$ \\(\\style{color:red}{x}\\)",
    f"$$\\require{{html}}\\includegraphics{{http://{HOST}/tex.png}}$$",
    "\\begin{equation}\\class{owned}{x}\\end{equation}",
    "</pre></div></details><script>window.owned = 1</script>",
    "&lt;script&gt;window.owned = 1&lt;/script&gt;",
    "\x1b]8;;javascript:window.owned=1\x07click\x1b]8;;\x07\x1b[31m<script>window.owned=1</script>",
    "\u202egnp.evil\u202c \x00 \ud800 \U000e0041",
)
PAGE = f"""<html><head><meta http-equiv=refresh content="0;url=http://{HOST}/refresh">
<link rel=stylesheet href="http://{HOST}/page.css"><script>parent.owned = 1</script>
<style>@import "http://{HOST}/import.css"; body {{ background: url(http://{HOST}/bg.png) }}</style>
</head><body onload="parent.owned = 1"><img src="http://{HOST}/page.png">
<p style="background: url(http://{HOST}/inline.png)">page</p><a href="http://{HOST}/link">go</a>
<form action="http://{HOST}/form"><input></form></body></html>"""
# As a document or inline, it would run scripts and call home in all these ways.
PICTURE = f"""<!DOCTYPE svg [<!ENTITY e SYSTEM "http://{HOST}/entity">]>
<?xml-stylesheet href="http://{HOST}/sheet.css"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
  width="40" height="40" onload="parent.owned = 1"><script>parent.owned = 1</script>
<script href="http://{HOST}/svg.js"/><style>@import "http://{HOST}/svg.css";
@font-face {{ font-family: f; src: url(http://{HOST}/font.woff) }} text {{ font-family: f }}</style>
<image href="http://{HOST}/svg.png" width="9" height="9" onerror="parent.owned = 1"/>
<use xlink:href="http://{HOST}/use.svg#x"/><rect width="40" height="40" fill="red"/>
<rect width="9" height="9" fill="url(http://{HOST}/paint.svg#p)"/>
<a href="javascript:parent.owned = 1"><text y="20">x</text></a>
<set attributeName="onload" to="parent.owned = 1"/>
<foreignObject width="40" height="40"><img xmlns="http://www.w3.org/1999/xhtml"
  src="http://{HOST}/foreign.png" onerror="parent.owned = 1"/></foreignObject></svg>"""


def hostile_run() -> list[Event]:
    """A run in which every word that is not ours is an attack."""
    events: list[Event] = [
        RunStarted(SAYINGS[0], SAYINGS[1], "ask", "x"),
        SessionReady("<i>", SAYINGS[3], created=True),
    ]
    for number, saying in enumerate(SAYINGS):
        call_id = str(number)
        diff = "".join(f"+{line}\n" for line in saying.split("\n"))
        events += [
            ThinkingDelta(saying),
            TextDelta(saying),
            Notice(saying),
            ToolCallStarted(call_id, "run_command", {"command": saying}),
            CommandOutput(call_id, "stdout", saying),
            CommandOutput(call_id, "stderr", saying),
            ToolCallFinished(
                *(call_id, "run_command", bool(number % 2), saying, CommandResult(saying, 1)),
            ),
            ToolCallStarted(call_id, saying, {"path": saying}),
            ToolCallFinished(
                *(call_id, saying, True, saying),
                change=FileChange(saying, "modified", diff, 1, 0),
            ),
        ]
    files = {
        "page.html": ("text/html", PAGE),
        "table.csv": (
            "text/csv",
            ",".join(f'"{saying.replace(chr(34), "")}"' for saying in SAYINGS),
        ),
        'picture.png" onerror="window.owned=1': ("image/png", "\x89PNG"),
        "picture.svg": ("image/svg+xml", PICTURE),
    }
    for path, (mime, text) in files.items():
        data = text.encode("utf-8", "replace")
        events.append(FileShown(path, mime, base64.b64encode(data).decode(), len(data)))
    events.append(RunFinished("failed", "<i>", 2, Usage(1, 0, 1), 1.0, SAYING_OF_ERROR))
    return events


SAYING_OF_ERROR = "The service said <img src=x onerror='window.owned = 1'>."
