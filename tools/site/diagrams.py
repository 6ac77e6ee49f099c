"""Diagrams of pages (```mermaid), drawn ahead: a page loads no program to draw them.

`python tools/site/draw_diagrams.py` draws those that are not in `diagrams/` and removes the others.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

FOLDER = Path(__file__).with_name("diagrams")
BLOCK = re.compile(r"^```mermaid\n(?P<text>.*?)\n```$", re.DOTALL | re.MULTILINE)
log = get_plugin_logger(__name__)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the drawing of each diagram in its place; a missing one fails a strict build."""
    def drawn(match: re.Match[str]) -> str:
        path = drawing(match["text"])
        if not path.exists():
            log.warning("%s has a diagram that is not drawn: python tools/site/draw_diagrams.py",
                        page.file.src_uri)
            return match[0]
        return f'<figure class="diagram">{path.read_text("utf-8").strip()}</figure>'

    return BLOCK.sub(drawn, markdown)


def drawing(text: str) -> Path:
    """The file of the drawing of a diagram."""
    return FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.svg"
