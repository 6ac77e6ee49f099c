"""Draw the diagrams of docs with Mermaid, in the theme's colours: needs npm and Chromium."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from diagrams import BLOCK, FOLDER, drawing
from playwright.sync_api import sync_playwright

MERMAID = "mermaid@11.17.2"
CHROMIUM = "/usr/bin/chromium"
# Colours that Mermaid is given, and what stands for them in the page, which may be light or dark.
COLOURS = {
    "#010101": "var(--md-code-bg-color)",
    "#020202": "var(--md-default-fg-color)",
    "#030303": "var(--md-default-fg-color--lighter)",
    "#040404": "var(--md-default-fg-color--light)",
    "#050505": "var(--md-default-bg-color)",
}
SCALE = 0.8  # of a diagram on its page
DRAW = """async ([text, id, colours]) => {
    const [box, ink, border, line, label] = colours;
    const themeVariables = { primaryColor: box, primaryTextColor: ink, textColor: ink,
        primaryBorderColor: border, lineColor: line, edgeLabelBackground: label };
    mermaid.initialize({ startOnLoad: false, theme: "base", deterministicIds: true,
        fontFamily: "Helvetica, Arial, sans-serif", themeVariables });
    return (await mermaid.render(id, text)).svg;
}"""


def main() -> None:
    """Draw what is missing, and remove what no page has."""
    docs = Path(__file__).parents[2] / "docs"
    texts = [match["text"] for path in sorted(docs.rglob("*.md"))
             for match in BLOCK.finditer(path.read_text("utf-8"))]
    FOLDER.mkdir(exist_ok=True)
    wanted = {drawing(text): text for text in texts}
    for path in set(FOLDER.glob("*.svg")) - set(wanted):
        path.unlink()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(content=_mermaid(Path(folder)))
        for path, text in wanted.items():
            if not path.exists():
                svg = page.evaluate(DRAW, [text, f"diagram-{path.stem}", list(COLOURS)])
                path.write_text(_in_colours_of_the_page(svg) + "\n", "utf-8")
        browser.close()


def _mermaid(folder: Path) -> str:
    """Mermaid's program, from its package."""
    packed = subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True,
                            capture_output=True, text=True).stdout.strip()
    with tarfile.open(folder / packed) as package:
        member = package.extractfile("package/dist/mermaid.min.js")
        assert member is not None
        return member.read().decode()


def _in_colours_of_the_page(svg: str) -> str:
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, variable)
    width = float(re.search(r'viewBox="\S+ \S+ (\S+)', svg)[1])
    svg = re.sub(r' style="max-width: [^"]*"', "", svg, count=1)
    svg = svg.replace('width="100%"', f'width="{SCALE * width:.0f}"', 1)
    return re.sub(r"\s*\n\s*", " ", svg)  # a blank line would end the block in Markdown


if __name__ == "__main__":
    main()
