"""The report in a real browser: it loads without a complaint, plays, sorts, and asks for nothing from outside."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--mute-audio"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, several):
    """Opens the page in a context of its own, which must neither complain nor ask for anything else."""
    contexts, complaints, requests = [], [], []

    def opened(width=1280, **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(several.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [several.as_uri()]


def until(condition):
    """Return an expression that waits for a condition; Playwright's own waiting needs eval, which the page forbids."""
    return f"new Promise(done => {{ const look = () => {condition} ? done(true) : setTimeout(look, 20); look() }})"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_page_loads_alone_and_fits(opened, width, scheme):
    page = opened(width, color_scheme=scheme, is_mobile=width < 600)
    assert page.title() == "Report of mini, other"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 150) == (scheme == "dark")
    # every picture is decoded, every chart has its style
    page.evaluate("Promise.all([...document.querySelectorAll('image')].slice(0, 8).map(image => image.decode?.()))")
    assert page.evaluate("getComputedStyle(document.querySelector('.s1 .bar')).fill") not in ("rgb(0, 0, 0)", "none")


def boxes(page, selector):
    return page.locator(selector).evaluate_all("items => items.map(item => item.getBoundingClientRect().toJSON())")


def test_place_is_used(opened):
    page = opened()
    first, second, *_ = boxes(page, ".matrices > div")
    assert first["top"] == second["top"] and first["right"] < second["left"]
    (scene,) = boxes(page, "details[open]")
    for row in range(page.locator("details[open] .row").count()):
        last = boxes(page, f"details[open] .row >> nth={row} >> xpath=./*")[-1]
        assert last["right"] > scene["right"] - 30
    captions = page.locator("details[open] .clip p")
    assert captions.evaluate_all("items => items.every(item => item.offsetHeight < 30)")
    assert page.locator(".hint:visible").count() == 0


def test_tables_scroll_on_a_phone_beside_their_first_column(opened):
    page = opened(390, is_mobile=True)
    region = page.locator("#scores .scroll").first
    hint = region.locator("xpath=preceding-sibling::p[1]")
    assert hint.is_visible() and "sideways" in hint.inner_text()
    before = boxes(page, "#scores table >> nth=0 >> tbody th")[0]["left"]
    region.evaluate("region => { region.scrollLeft = 200 }")
    assert boxes(page, "#scores table >> nth=0 >> tbody th")[0]["left"] == before
    assert boxes(page, "#scores table >> nth=0 >> thead th")[0]["left"] == before
    assert boxes(page, "#scores table >> nth=0 >> tbody td.number")[0]["left"] < before + 150
    assert "mini" in page.locator("#scores tbody th").first.inner_text()  # its system, whose own column is left out


def test_clips_play_one_at_a_time(opened):
    page = opened()
    page.evaluate("window.clips = [...document.querySelectorAll('details[open] audio')]")
    page.evaluate(until("clips.every(clip => clip.readyState > 0)"))
    durations = page.evaluate("clips.map(clip => clip.duration)")
    assert len(durations) >= 3 and all(0.9 < duration < 1.2 for duration in durations)
    page.evaluate("clips[0].play()")
    page.evaluate(until("clips[0].currentTime > 0"))
    page.evaluate("clips[1].play()")
    assert page.evaluate("clips[0].paused && (!clips[1].paused || clips[1].ended)")
    page.evaluate(until("document.querySelector('.playhead.shown')"))


def test_tables_sort_by_button(opened):
    page = opened()
    table = page.locator("#scores table").first
    column = "rows => rows.map(row => row.cells[2].dataset.sort)"
    before = table.locator("tbody tr").evaluate_all(column)
    button = table.locator("thead button").nth(2)
    for state, sign in (("descending", -1), ("ascending", 1)):
        button.click()
        values = table.locator("tbody tr").evaluate_all(column)
        numbers = [float(value) for value in values if value]
        assert numbers == sorted(numbers, key=lambda number: sign * number) and sorted(values) == sorted(before)
        assert values[len(numbers) :] == [""] * (len(values) - len(numbers))
        assert button.locator("xpath=..").get_attribute("aria-sort") == state


def test_keyboard_reaches_what_can_be_done(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    seen, place = set(), "(e => e.tagName + (e.closest('table') ? ' in table' : ''))(document.activeElement)"
    for _ in range(150):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(place))
        if "AUDIO" in seen:
            break
    assert {"BUTTON in table", "DIV", "SUMMARY", "AUDIO"} <= seen
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_page_says_the_same_without_scripts(opened):
    tree = opened(java_script_enabled=False).locator("body").aria_snapshot()
    for text in ("Skip to the content", "Scores by class", "mixture accuracy", "Same-class sources"):
        assert text in tree
