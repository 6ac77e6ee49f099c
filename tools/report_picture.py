"""The picture of the README: the first screens of the demo's page.

    make demo && .venv/bin/python tools/report_picture.py

Reads build/demo and writes docs/report.png, with Debian's Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from nmcompile import api

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu"]
WIDTH, UNTIL = 1120, ".scroll:has(#layers)"  # pixels, and what is not in it


def main() -> None:
    """Photograph the page of a build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=ROOT / "build" / "demo")
    parser.add_argument("picture", nargs="?", type=Path, default=ROOT / "docs" / "report.png")
    parser.add_argument("--chromium", type=Path, default=Path("/usr/bin/chromium"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        api.report(api.read_build(options.build), path)
        browser = playwright.chromium.launch(executable_path=str(options.chromium), args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(path.as_uri())
        page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
        end = page.locator(UNTIL).bounding_box()
        assert end is not None
        page.screenshot(path=options.picture, full_page=True, clip={
            "x": 0, "y": 0, "width": WIDTH, "height": end["y"] - 16})
        browser.close()
    print(f"{options.picture}: {options.picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
