"""A page for each error code, from the text that `nmc explain` shows, and an index of them."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from moved_links import moved_links

FOLDER = "nmcompile/explanations"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each code and the index."""
    root = Path(config.config_file_path).parent
    titles: dict[str, str] = {}
    for path in sorted((root / FOLDER).glob("NMC-E*.md")):
        uri, text = f"errors/{path.name}", path.read_text("utf-8")
        titles[path.stem] = text.lstrip("# ").splitlines()[0].removeprefix(path.stem).lstrip(" :")
        text = moved_links(text, f"{FOLDER}/{path.name}", uri)
        files.append(File.generated(config, uri, content=text))
    if titles:
        files.append(File.generated(config, "errors/index.md", content=_index(titles)))
    return files


def _index(titles: dict[str, str]) -> str:
    rows = [f"| [`{code}`]({code}.md) | {title} |" for code, title in titles.items()]
    return "\n".join([
        "# Errors", "", "The code stands in the line that `nmc` prints; `nmc explain CODE` shows "
        "the same text in the terminal.", "", "| code | |", "|---|---|", *rows, ""])
