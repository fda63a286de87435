"""Tables as people have them."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibekit_jupyter.events import FileShown
from vibekit_jupyter.notebook.render.artifact import artifact_html
from vibekit_jupyter.notebook.render.table import decoded, table_html

GERMAN = "Monat;Umsatz;Größe\nMärz;1.240,50;3,5\nApril;980,00;2,0\n"


def cells(html: str) -> list[str]:
    return [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", html)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_table_is_read_whatever_separates_and_encodes_it(encoding: str, delimiter: str) -> None:
    data = GERMAN.replace(";", delimiter).encode(encoding)
    html = table_html(data, len(data))
    shown = cells(html)
    assert shown[0] == "Monat"
    assert "1.240,50" in shown
    assert len(shown) == 9
    assert html.count("text-align:right") == 6
    assert "2 rows, 3 columns" in html


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b\n1,2\n", 2),
        ('name,words\nx,"one; two"\ny,"three; four"\n', 2),
        ("1,5;2,5\n3,5;4,5\n", 2),
        ("only\none\ncolumn\n", 1),
        ("a,b,c\n1,2\n", 3),
    ],
)
def test_commas_in_numbers_and_semicolons_in_words_separate_nothing(
    text: str, columns: int
) -> None:
    assert f"{columns} column" in table_html(text.encode(), len(text))


def test_a_long_and_a_wide_table_say_their_size() -> None:
    long = "a,b\n" + "1,2\n" * 1_203
    assert "10 of 1,203 rows, 2 columns" in table_html(long.encode(), len(long))
    assert "the first 10 rows of 48.0 MB, 2 columns" in table_html(long.encode()[:44], 48_000_000)
    wide = ",".join("abcdefghijklmnopqrst") + "\n" + ",".join("12345678901234567890") + "\n"
    html = table_html(wide.encode(), len(wide))
    assert "1 row, 20 columns" in html
    assert cells(html)[12] == "…"


def test_a_file_that_was_cut_in_the_middle_of_a_character_is_shown() -> None:
    for encoding in ("utf-8", "utf-16"):
        data = "a;b\nü;ü".encode(encoding)[:-1]
        assert cells(table_html(data, 900))[:3] == ["a", "b", "ü"]


@given(st.binary(max_size=200))
def test_a_table_of_any_bytes_is_shown_or_named(data: bytes) -> None:
    decoded(data)
    shown = FileShown("/home/user/a.csv", "text/csv", base64.b64encode(data).decode(), len(data))
    assert "a.csv" in artifact_html(shown)
