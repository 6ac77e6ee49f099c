"""A page for each error code, with the text that `nmc explain` shows, and their index by family."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from nmcompile import errors

FOLDER = "nmcompile/explanations"
FAMILY = re.compile(r"^# (?P<title>\w.*)$")
KIND = re.compile(r'^class \w+\(NmcError, code="(?P<code>[\w-]+)"\)')
INTRODUCTION = """\
# Errors

What an input does wrong is told in one line that ends with the code of its kind:

    nmc: error: WHERE: WHAT. WHAT TO DO.  [NMC-E0203]

`nmc explain NMC-E0203` shows the same text as the code's page here. In Python it is a class of
`nmcompile.errors`, with the attributes `where`, `what`, `hint` and `code`.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each code, whose links are written as from docs/errors, and the index."""
    root = Path(config.config_file_path).parent
    written = {path.stem for path in (root / FOLDER).glob("NMC-E*.md")}
    for code in sorted(written):
        text = (root / FOLDER / f"{code}.md").read_text("utf-8")
        files.append(File.generated(config, f"errors/{code}.md", content=text))
    files.append(File.generated(config, "errors/index.md", content=_index(written)))
    return files


def _index(written: set[str]) -> str:
    lines = [INTRODUCTION]
    for family, codes in _families().items():
        lines += [f"## {family}", "", "| code | what is wrong |", "|---|---|"]
        for code in codes:
            shown = f"[`{code}`]({code}.md)" if code in written else f"`{code}`"
            lines.append(f"| {shown} | {inspect.getdoc(errors.kinds()[code])} |")
        lines.append("")
    return "\n".join(lines)


def _families() -> dict[str, list[str]]:
    """Codes by the headings that stand above their classes in nmcompile/errors.py."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in inspect.getsource(errors).splitlines():
        if heading := FAMILY.match(line):
            title = heading["title"]
        elif kind := KIND.match(line):
            found.setdefault(title, []).append(kind["code"])
    return found
