"""Words keep the page's own colour: a page that is dark has code of its own in another one."""

from __future__ import annotations

import re

from tests.support.runs import whole_run
from vibekit_jupyter.notebook.render import Transcript, rendered
from vibekit_jupyter.notebook.render.display import SAVED
from vibekit_jupyter.notebook.render.markdown import markdown_html
from vibekit_jupyter.notebook.show import help_text

SOURCE = "Say `this`, and $\\frac{a$:\n\n```python\nprint(1)\n```\n\n    indented\n"


def test_code_has_the_colour_of_the_page_around_it() -> None:
    run = rendered(Transcript.of(whole_run())).html
    drawn = f"{run}{markdown_html(SOURCE)}{SAVED}{help_text('usage').html}"
    tags = re.findall(r"<(?:pre|code)\b[^>]*>", drawn)
    assert len(tags) > 6
    assert [tag for tag in tags if "color:inherit" not in tag] == []
