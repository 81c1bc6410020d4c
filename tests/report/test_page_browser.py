"""The report in a real browser: it loads without a complaint, plays, sorts, and asks for nothing from outside."""

import pytest
from chromium import EXECUTABLE, Browser

from s5lib.report import write_report

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def address(experiments):
    return write_report([experiments / "exp/mini", experiments / "exp/other"], experiments / "browser.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def until(condition):
    """Return an expression that waits for a condition, or until the browser's time is up."""
    return f"new Promise(done => {{ const look = () => {condition} ? done(true) : setTimeout(look, 20); look() }})"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_page_loads_alone_and_fits(browser, address, width, dark):
    browser.open(address, width, dark=dark)
    assert browser.evaluate("document.title") == "Report of mini, other"
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert [url for url in browser.requests() if not url.startswith("data:")] == [address]
    assert browser.complaints() == []
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 150) == dark
    # every picture is decoded, every chart has its style
    assert browser.evaluate(
        "Promise.all([...document.querySelectorAll('image')].slice(0, 8).map(image => image.decode?.()))"
    )
    assert browser.evaluate("getComputedStyle(document.querySelector('.s1 .bar')).fill") not in ("rgb(0, 0, 0)", "none")


def test_clips_play_one_at_a_time(browser, address):
    browser.open(address)
    durations = browser.evaluate(
        "Promise.all([...document.querySelectorAll('details[open] audio')].map(audio => audio.readyState ?"
        " audio.duration : new Promise(done => audio.addEventListener('loadedmetadata', () => done(audio.duration)))))"
    )
    assert len(durations) >= 3 and all(0.9 < duration < 1.2 for duration in durations)
    browser.evaluate("window.clips = document.querySelectorAll('details[open] audio'); clips[0].play()")
    assert browser.evaluate(until("clips[0].currentTime > 0"))
    browser.evaluate("clips[1].play()")
    assert browser.evaluate("clips[0].paused && (!clips[1].paused || clips[1].ended)")
    assert browser.evaluate(until("document.querySelector('.playhead.shown')"))
    assert browser.complaints() == []


def test_tables_sort_by_button(browser, address):
    browser.open(address)
    column = "[...document.querySelectorAll('#scores table')[0].tBodies[0].rows].map(row => row.cells[2].dataset.sort)"
    button = "document.querySelectorAll('#scores table')[0].querySelectorAll('thead button')[2]"
    before = browser.evaluate(column)
    for state, sign in (("descending", -1), ("ascending", 1)):
        browser.evaluate(f"{button}.click()")
        values = browser.evaluate(column)
        numbers = [float(value) for value in values if value]
        assert numbers == sorted(numbers, key=lambda number: sign * number) and sorted(values) == sorted(before)
        assert values[len(numbers) :] == [""] * (len(values) - len(numbers))
        assert browser.evaluate(f"{button}.closest('th').getAttribute('aria-sort')") == state


def test_keyboard_reaches_what_can_be_done(browser, address):
    browser.open(address)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    browser.press("Enter")
    assert browser.evaluate("location.hash") == "#main"
    seen = set()
    for _ in range(150):
        browser.press("Tab")
        seen.add(
            browser.evaluate(
                "document.activeElement.tagName + (document.activeElement.closest('table') ? ' in table' : '')"
            )
        )
        if "AUDIO" in seen:
            break
    assert {"BUTTON in table", "DIV", "SUMMARY", "AUDIO"} <= seen
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_page_says_the_same_without_scripts(browser, address):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(address)
        assert browser.complaints() == []
        tree = str(browser.call("Accessibility.getFullAXTree")["nodes"])
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    for text in ("Skip to the content", "Scores by class", "Mixture accuracy", "Same-class sources"):
        assert text in tree
