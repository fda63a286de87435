"""The picker in a real JupyterLab: by mouse, by keyboard, beside the magics, while a cell runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import expect

from tests.browser.picker_page import PickerOf, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenNotebook
    from tests.support.lab import NotebookPage

pytestmark = pytest.mark.browser

TWO = "%vibekit_session new alpha --project q3\n%vibekit_session new beta"
PICK = "%vibekit_session pick"
SHOW = "%vibekit_session"


def opened(open_notebook: OpenNotebook, home: Path, *cells: str) -> NotebookPage:
    """Open a notebook with two sessions, of which beta is the current one, and a picker."""
    page = open_notebook([f"{loaded(home)}\n{TWO}", PICK, *cells])
    page.run(0, 60)
    page.run(1)
    return page


def current(page: NotebookPage, index: int, name: str) -> None:
    """Check what the magic in a cell says."""
    page.run(index)
    expect(page.output(index)).to_contain_text(name)


def test_a_choice_by_mouse_or_keyboard_switches_and_the_magics_switch_it(
    open_notebook: OpenNotebook, home: Path
) -> None:
    page = opened(open_notebook, home, SHOW, "%vibekit_session set beta")
    picker = PickerOf(page, 1)
    picker.shows("beta")
    picker.choose("alpha")
    expect(picker.said).to_have_text("Switched to alpha.")
    current(page, 2, "alpha")
    page.run(3)
    picker.shows("beta")
    picker.select.focus()
    picker.keyboard.press("ArrowDown")
    picker.shows("alpha")
    current(page, 2, "alpha")
    assert page.errors == []
    assert page.strangers == []


def test_two_open_pickers_agree(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home, PICK)
    page.run(2)
    one, two = PickerOf(page, 1), PickerOf(page, 2)
    one.choose("alpha")
    two.shows("alpha")
    two.choose("beta")
    one.shows("beta")
    one.button("New").click()
    one.answer("Create", Name="gamma")
    for picker in (one, two):
        picker.shows("gamma")


def test_a_switch_during_a_run_leaves_the_run_in_its_session(
    open_notebook: OpenNotebook, home: Path
) -> None:
    slow = "%%vibekit\nimport time\ntime.sleep(15)\nprint('slept')"
    page = opened(open_notebook, home, slow, SHOW)
    picker = PickerOf(page, 1)
    page.start(2)
    expect(page.output(2)).to_contain_text("session beta")
    picker.choose("alpha")
    expect(picker.said).to_have_text("Switched to alpha.")
    expect(page.output(2)).not_to_contain_text("steps")
    page.wait(2)
    expect(page.output(2)).to_contain_text("slept")
    expect(page.output(2)).to_contain_text("session beta")
    picker.shows("alpha")
    current(page, 3, "alpha")


def test_killing_a_session_with_a_run_in_it_says_so(
    open_notebook: OpenNotebook, home: Path
) -> None:
    slow = "%%vibekit\nimport time\ntime.sleep(60)"
    page = opened(open_notebook, home, slow)
    picker = PickerOf(page, 1)
    page.start(2)
    expect(page.output(2)).to_contain_text("time.sleep(60)")
    picker.button("Kill…").click()
    picker.answer("Kill")
    expect(picker.question).to_contain_text("A run is going on in the session beta.")
    picker.answer("Cancel")
    expect(picker.question).to_be_hidden()
    picker.shows("beta")
    page.interrupt()
    page.wait(2)


def test_the_buttons_do_what_they_say(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home, SHOW)
    picker = PickerOf(page, 1)
    picker.button("Rename").click()
    expect(picker.question.get_by_label("Name")).to_be_focused()
    expect(picker.question.get_by_label("Name")).to_have_value("beta")
    picker.answer("Rename", Name="renamed")
    picker.shows("renamed")
    picker.button("Pause").click()
    picker.shows("paused")
    picker.button("Resume").click()
    picker.shows("running")
    picker.button("Fork").click()
    picker.answer("Fork", Name_of_the_copy="copy")
    expect(picker.said).to_have_text("Copied to copy.")
    picker.shows("renamed")
    current(page, 2, "renamed")
    picker.button("Rename").click()
    picker.answer("Rename", Name="alpha")
    expect(picker.said).to_contain_text("There is a session named 'alpha' already.")
    picker.shows("renamed")
    picker.button("Kill…").click()
    expect(picker.question).to_contain_text("Kill renamed? Its files are lost")
    expect(picker.question.get_by_role("button", name="Cancel")).to_be_focused()
    picker.keyboard.press("Escape")
    expect(picker.button("Kill…")).to_be_focused()
    picker.button("Kill…").click()
    picker.answer("Kill")
    picker.shows("no current session")
    expect(picker.button("Pause")).to_be_disabled()
    current(page, 2, "no current session")
    assert page.errors == []


def test_no_key_in_the_picker_is_a_shortcut_of_the_notebook(
    open_notebook: OpenNotebook, home: Path
) -> None:
    page = opened(open_notebook, home, SHOW)
    picker = PickerOf(page, 1)
    picker.button("Browse all").click()
    expect(picker.rows).to_have_count(2)
    for place in (picker.select, picker.button("Fork"), picker.filter, picker.grid):
        place.focus()
        for key in "ddaabbmyxc":
            picker.keyboard.press(key)
    picker.button("Kill…").click()
    expect(picker.question.get_by_role("button", name="Cancel")).to_be_focused()
    for key in "ddaabb":
        picker.keyboard.press(key)
    picker.keyboard.press("Escape")
    expect(picker.question).to_be_hidden()
    assert page.page.locator(".jp-Notebook .jp-Cell").count() == 3
    picker.button("Rename").focus()
    picker.keyboard.press("Enter")
    expect(picker.question.get_by_label("Name")).to_be_focused()
    picker.keyboard.type("typed")
    picker.keyboard.press("Enter")
    expect(picker.said).to_have_text("Renamed to typed.")
    expect(picker.button("Rename")).to_be_focused()


def test_hostile_names_are_text(open_notebook: OpenNotebook, home: Path) -> None:
    hostile = (
        "from vibekit_jupyter import get_client\n"
        "from vibekit_jupyter.settings.config import Service, local_service_id\n"
        "from vibekit_jupyter.sessions.registry import Registry\n"
        "from vibekit_jupyter.sessions.session import Session\n"
        "user = get_client().known_sessions()[0].user\n"
        "service = Service(id=local_service_id(), title='local sandbox', api_key='e2b_1')\n"
        "names = ['<img src=x onerror=\"window.owned=1\">',"
        " '</option><script>window.owned=1</script>',"
        " '\\u202egnp.exe', '$x^2$ [a](javascript:owned=1)', 'x' * 10_000]\n"
        "for number, name in enumerate(names):\n"
        "    Registry().add(Session(f'hostile{number}', name, 'local sandbox', user=user,"
        " project=name, agent=name), service)"
    )
    page = opened(open_notebook, home, hostile)
    picker = PickerOf(page, 1)
    page.run(2)
    expect(picker.select.locator("option")).to_have_count(7)
    picker.button("Browse all").click()
    expect(picker.rows).to_have_count(7)
    picker.choose("$x^2$")
    picker.shows("$x^2$")
    for name in ("Rename", "Kill…"):
        picker.button(name).click()
        expect(picker.question).to_contain_text("$x^2$")
    assert page.evaluate("() => window.owned") is None
    made = picker.root.locator("img, script, mjx-container, a")
    assert made.count() == 0
    assert all(len(text) < 300 for text in picker.rows.all_inner_texts())
    assert page.strangers == []


def test_a_saved_picker_is_a_table(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home)
    picker = PickerOf(page, 1)
    picker.shows("beta")
    assert page.output(1).locator("table").is_hidden()
    picker.button("New").click()
    picker.answer("Create", Name="gamma")
    picker.shows("gamma")
    cells = page.save()
    outputs = cells[1]["outputs"]
    assert [set(output["data"]) for output in outputs] == [
        {"application/vnd.jupyter.widget-view+json", "text/plain"},
        {"text/html", "text/plain"},
    ]
    assert "gamma" in "".join(outputs[1]["data"]["text/html"])
    again = open_notebook([cell["source"] for cell in cells], outputs=outputs)
    expect(again.output(1).locator("table")).to_be_visible()
    assert "model not found" not in again.output(1).inner_text()
    page.page.close()


def test_a_trusted_picker_without_its_kernel_is_a_table(
    open_notebook: OpenNotebook, home: Path
) -> None:
    page = opened(open_notebook, home)
    PickerOf(page, 1).shows("beta")
    page.save()
    page.restart_kernel()
    page.reload()
    expect(page.output(1).locator("table")).to_be_visible()
    expect(page.output(1).get_by_text("Loading widget")).to_be_hidden()
    expect(page.output(1).get_by_text("model not found")).to_be_hidden()
    expect(page.output(1).locator(".vibekit-picker")).to_have_count(0)


def test_after_a_restart_of_the_kernel_it_says_so(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home)
    PickerOf(page, 1).shows("beta")
    page.restart_kernel()
    disconnected = page.output(1).locator(".jupyter-widgets-disconnected")
    disconnected.first.wait_for(state="attached")
    marks = """() => [...document.querySelectorAll('.jupyter-widgets-disconnected')].map(
        widget => getComputedStyle(widget, '::before').display)"""
    seen = [display for display in page.evaluate(marks) if display != "none"]
    assert seen in ([], ["block"])
    words = (
        """() => getComputedStyle(document.querySelector('.vibekit-picker'), '::before').content"""
    )
    assert "a kernel that has ended: run the cell again" in page.evaluate(words)


def test_a_killed_session_leaves_the_dropdown(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home, "%vibekit_session kill alpha")
    picker = PickerOf(page, 1)
    picker.shows("beta")
    page.run(2)
    expect(picker.select.locator("option", has_text="alpha")).to_have_count(0)
    picker.shows("beta")
    picker.button("New").click()
    picker.answer("Create", Name="gamma")
    picker.shows("gamma")


def test_axe_finds_nothing_in_a_picker(open_notebook: OpenNotebook, home: Path) -> None:
    page = opened(open_notebook, home)
    picker = PickerOf(page, 1)
    picker.button("Browse all").click()
    picker.rows.first.wait_for()
    picker.button("Rename").click()
    page.output(1).get_by_text("Rename beta").wait_for()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.theme(theme)
        assert Axe().run(page.page, context=".vibekit-picker").response["violations"] == []
