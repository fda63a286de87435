"""``{{name}}`` in prompts of every kind, and in the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.notebook.context.conftest import SECRET
from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.model_server import ModelServer

NAMES = (
    "import os, sys, types\nn = 3; code = 'a  b'; shop = types.SimpleNamespace(name='Tea & Co')\n"
    "key = os.environ['MY_TOKEN']; client = types.SimpleNamespace(api_key=key)"
)
CALL = "get_ipython().run_cell_magic('vibekit', '--fresh', 'take {{n}} of {{shop.name}}')"
PUT = "take 3 of Tea & Co"


@pytest.fixture(autouse=True)
def names(kernel: Kernel) -> None:
    kernel.run(NAMES)


@pytest.mark.parametrize(
    ("code", "prompt"),
    [
        ("%%vibekit --fresh\ntake {{n}} of {{ shop.name }}", PUT),
        ("%vibekit --fresh take {{n}} of {{ shop.name }}", PUT),
        ("%vibekit --fresh is it {{n}}?", "is it 3?"),
        ("%%time\n%%vibekit --fresh\ntake {{n}} of {{shop.name}}", PUT),
        ("if True:\n    %vibekit --fresh take {{n}} of {{shop.name}}", PUT),
        (f"def f(n):\n    {CALL}\nf(7)", "take 7 of Tea & Co"),
        ("def f(n):\n    %vibekit --fresh take {{n}}, {{shop.name}}\nf(7)", "take 7, Tea & Co"),
        ("%vibekit --fresh {code} {{n}} $code {n} {{code}}", "a  b 3 a  b {n} a  b"),
        ("%%vibekit --fresh\n{code} $n {n} {{{n}}} {{gone}} {{ n }}x", None),
        ("%%vibekit --fresh --verbatim\n{{n}} {{ shop }}", "{{n}} {{ shop }}"),
        ("%vibekit --fresh --verbatim {{n}} {{ shop }}", "{{n}} {{ shop }}"),
        ("%%vibekit --fresh\n{{In}} {{exit}} {{get_ipython}}", "{{In}} {{exit}} {{get_ipython}}"),
        ("%%vibekit --fresh\n{{key}} {{client.api_key}}", "[redacted] [redacted]"),
    ],
)
def test_a_value_takes_its_names_place(
    kernel: Kernel, server: ModelServer, code: str, prompt: str | None
) -> None:
    cell = kernel.run(code)
    assert cell.status == "ok", cell.error
    sent = server.requests[-1].prompt
    assert sent == (prompt or "{code} $n {n} {{{n}}} {{gone}} 3x")
    assert SECRET not in str(server.requests[-1].body) + cell.text


def test_a_script_has_its_own_names(kernel: Kernel, server: ModelServer, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"n = 9\nclass shop: name = 'Script'\ndef f():\n    {CALL}\nf()\n")
    assert kernel.run(f"%run {script}").status == "ok"
    assert server.requests[-1].prompt == "take 9 of Script"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%vibekit\nlook at {{shop}}", "{{shop}} is a SimpleNamespace: only text, numbers and"),
        ("%vibekit look at {{sys}}", "{{sys}} is a module: only text, numbers and data are put in"),
        ("%%vibekit\n{{shop.nme}}", "a SimpleNamespace has no attribute 'nme'"),
    ],
)
def test_what_is_not_put_in_is_an_error_of_one_line(
    kernel: Kernel, server: ModelServer, code: str, words: str
) -> None:
    before = len(server.requests)
    cell = kernel.run(code, stop_on_error=False)
    assert (cell.status, cell.ename) == ("error", "UsageError")
    assert cell.error is not None
    (line,) = cell.error
    assert words in line
    assert len(server.requests) == before


def test_a_frame_gives_its_columns(kernel: Kernel, server: ModelServer) -> None:
    pytest.importorskip("pandas")
    kernel.run("import pandas as pd; df = pd.DataFrame({'city': ['a secret place'], 'n': [1]})")
    cell = kernel.run("%%vibekit --fresh\nPlot {{df}} for {{n}}")
    sent = server.requests[-1].prompt
    assert "pandas.DataFrame, 1 rows x 2 columns\n- city " in sent
    assert "a secret place" not in sent
    head = cell.displays[-1]["text/plain"].split("\n")[0]
    assert "{{df}}, " in head
    assert head.endswith(" tokens · {{n}} = 3")


def test_a_private_prompts_values_are_not_in_the_output(kernel: Kernel) -> None:
    cell = kernel.run("secretish = 'rosebud'\n%vibekit --private --fresh say {{secretish}}")
    assert "{{secretish}}, " in cell.text
    assert "rosebud" not in cell.text


def test_another_value_is_another_run_and_an_equal_one_the_same(
    kernel: Kernel, server: ModelServer, environment: dict[str, str]
) -> None:
    code = "%%vibekit\nrecord {{n}} here"
    kernel.run("%vibekit_session new values")
    kernel.run(code)
    assert "> record 3 here" in kernel.run("%vibekit_session history").text
    asked = len(server.requests)
    with Kernel(kernel.home, {**environment, "VIBEKIT_RERUN": "only"}) as other:
        other.run("%load_ext vibekit_jupyter")
        other.run("%vibekit_session set values\nn = 3")
        shown = other.run(code)
        assert "Shown from the record" in shown.text
        assert "{{n}} = 3" in shown.text
        refused = other.run(f"n = 4\nget_ipython().run_cell_magic('vibekit', '', {code[10:]!r})",
                            stop_on_error=False)  # fmt: skip
        assert refused.ename == "ConfigurationError"
        none = other.run("%vibekit fix", stop_on_error=False)
        assert "There is no error to fix." in none.text
    assert len(server.requests) == asked
