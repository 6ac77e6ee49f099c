"""The site's navigation: `nav` of mkdocs.yml, in which a folder stands for all of its pages."""

from __future__ import annotations

from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import Files

log = get_plugin_logger(__name__)


@event_priority(-100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put pages in the place of folders, and leave out pages and sections that do not exist.

    A page that is in no place of `nav` then fails a strict build (`validation.nav.omitted_files`).
    """
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = _expanded(config.nav or [], pages)
    return files


def _expanded(entries: list[Any], pages: list[str]) -> list[Any]:
    """`entries` as MkDocs takes them."""
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            title, below = next(iter(entry.items()))
            inside = _expanded(below if isinstance(below, list) else [below], pages)
            if inside:
                found.append({title: inside[0] if isinstance(below, str) and below[-1] != "/"
                              else inside})
        elif entry.endswith("/"):
            found += sorted((page for page in pages if page.rpartition("/")[0] == entry[:-1]),
                            key=lambda page: (not page.endswith("/index.md"), page))
        elif entry in pages:
            found.append(entry)
        else:
            log.info("nav: there is no %s", entry)
    return found
