"""Relative links of a text that is shown at another place than where it lies."""

from __future__ import annotations

import posixpath
import re

LINK = re.compile(r"(?<=\]\()(?P<path>[^()\s#:]+)(?P<anchor>#[^()\s]*)?(?=\))")


def moved_links(text: str, lies: str, shown: str) -> str:
    """`text` with its links from the file `lies` of the project as links from the page `shown`.

    lies   from the project's root
    shown  from docs
    """
    def moved(match: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join(posixpath.dirname(lies), match["path"]))
        here = posixpath.join("docs", posixpath.dirname(shown))
        return posixpath.relpath(place, here) + (match["anchor"] or "")

    return LINK.sub(moved, text)
