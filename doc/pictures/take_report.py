"""Take the guide's pictures of the report: ``python doc/pictures/take_report.py TWO_SYSTEMS.html ONE_SYSTEM.html``.

Needs playwright, an installed Chromium and Pillow.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
HEIGHT, GAP = 960, 30  # of a phone's screen, and between two


def save(picture: Image.Image, name: str) -> None:
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


def main(several: str, single: str) -> None:
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.goto(Path(several).resolve().as_uri())
        page.wait_for_timeout(500)
        whole = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        save(whole.crop((0, 0, 1280, 1990)), "report.png")
        phone = {"viewport": {"width": 390, "height": HEIGHT}, "color_scheme": "dark", "is_mobile": True}
        page = browser.new_page(**phone)
        page.goto(Path(single).resolve().as_uri())
        page.wait_for_timeout(500)
        screens = Image.new("RGB", (3 * 390 + 2 * GAP, HEIGHT), "white")
        for number, place in enumerate(("h1", "#confusions", "#listening")):
            page.locator(place).first.evaluate("node => node.scrollIntoView()")
            page.wait_for_timeout(200)
            screens.paste(Image.open(io.BytesIO(page.screenshot())), (number * (390 + GAP), 0))
        save(screens, "report_phone.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
