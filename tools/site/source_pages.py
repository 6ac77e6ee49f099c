"""Links from pages to files of the project beside docs: each such file is shown on a page."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from moved_links import LINK

LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json", ".md": "markdown", ".c": "c"}
PICTURES = {".png", ".svg", ".jpg", ".gif"}
FENCE = "`" * 6


@event_priority(-50)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of all files that pages link to."""
    root = Path(config.config_file_path).parent
    for file in list(files.documentation_pages()):
        for match in LINK.finditer(file.content_string):
            found = _outside(file, match["path"], root)
            if found is None or files.get_file_from_path(_place(found)):
                continue
            files.append(_generated(config, found, root))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files beside docs lead to their pages."""
    root = Path(config.config_file_path).parent

    def moved(match: re.Match[str]) -> str:
        found = _outside(page.file, match["path"], root)
        if found is None:
            return match[0]
        here = posixpath.dirname(page.file.src_uri)
        return posixpath.relpath(_place(found), here or ".")

    return LINK.sub(moved, markdown)


def _outside(file: File, link: str, root: Path) -> Path | None:
    """What `link` of the page leads to, from the project's root, if it exists beside docs."""
    if link.startswith("/"):
        return None
    place = posixpath.normpath(posixpath.join("docs", posixpath.dirname(file.src_uri), link))
    inside = place.startswith("docs/") or place.startswith("..")
    return None if inside or not (root / place).exists() else Path(place)


def _place(path: Path) -> str:
    """Where in the site a file of the project is shown."""
    shown = f"source/{path.as_posix()}"
    return shown if path.suffix in PICTURES else f"{shown}.md"


def _generated(config: MkDocsConfig, path: Path, root: Path) -> File:
    if path.suffix in PICTURES:
        return File.generated(config, _place(path), abs_src_path=str(root / path))
    return File.generated(config, _place(path), content=_text(path, root),
                          inclusion=InclusionLevel.NOT_IN_NAV)


def _text(path: Path, root: Path) -> str:
    """A file, or all text files in a folder."""
    head = f"---\nsearch:\n  exclude: true\n---\n# {path.as_posix()}\n\n"
    if (root / path).is_file():
        return head + _code(root / path)
    inside = sorted(found for found in (root / path).rglob("*") if found.is_file()
                    and found.suffix in LANGUAGES and "__pycache__" not in found.parts)
    return head + "\n".join(f"## {found.relative_to(root / path).as_posix()}\n\n{_code(found)}"
                            for found in inside)


def _code(path: Path) -> str:
    text = path.read_text("utf-8").rstrip()
    return f"{FENCE} {LANGUAGES.get(path.suffix, 'text')}\n{text}\n{FENCE}\n"
