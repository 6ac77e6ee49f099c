"""Run examples/notebooks/*.ipynb in fresh kernels, and write or check what their cells show.

    python tools/notebooks.py [NAME...]            # writes the outputs into the notebooks
    python tools/notebooks.py --check [NAME...]    # ends with 1 where an output is another one

Each runs in an empty folder on one thread. Two outputs are alike if they hold the same words, and
numbers that differ by no more than CLOSE; errors of rounding may be any below TINY. Of a picture it
is what it says to one who cannot see it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import tempfile
from html import unescape
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[1] / "examples" / "notebooks"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
MINUS = "\N{MINUS SIGN}"
SECONDS = 600  # that a cell may take on a busy machine
CLOSE = 0.02  # of a number: processors round floats in an order of their own
ROUNDING = re.compile(r"(?<=within )(\S+)(?= \(of up to)")  # as the check of a trace says it
TINY = 1e-4
LARGEST = 400_000  # bytes of a notebook
SVG = "image/svg+xml"
NUMBER = re.compile(rf"[+{MINUS}-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def executed(notebook: NotebookNode) -> NotebookNode:
    """A copy of `notebook` with what its cells show now; raises CellExecutionError."""
    fresh = nbformat.from_dict(notebook)
    os.environ.update(ONE_THREAD)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(fresh, timeout=SECONDS, kernel_name="python3", record_timing=False,
                       startup_timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    return plain(fresh)


def plain(notebook: NotebookNode) -> NotebookNode:
    """`notebook` without what changes from run to run: ids, times, the kernel's version."""
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = NotebookNode()
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = NotebookNode()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}})
    return notebook


def told(notebook: NotebookNode) -> list[str]:
    """Lines of what its cells show, as a reader that sees no pictures would have them."""
    lines = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            lines += [f"--- {cell.id}: {output.output_type} {output.get('name', '')}".rstrip()]
            lines += "".join(output["text"]).splitlines() if "text" in output else _shown(
                output.get("data", {}))
    return lines


def _shown(data: NotebookNode) -> list[str]:
    if SVG in data:
        return [unescape(label) for label in re.findall('aria-label="([^"]*)"', data[SVG])]
    if "text/html" in data:
        without_style = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        return [line.strip() for line in re.split(r"<[^>]*>|\n", without_style) if line.strip()]
    return str(data.get("text/plain", "")).splitlines()


def alike(one: str, other: str) -> bool:
    """Whether two lines have the same words, and numbers that are close."""
    one, other = (ROUNDING.sub(
        lambda error: "tiny" if float(error[0]) < TINY else error[0], line)
        for line in (one, other))
    if NUMBER.sub("0", one) != NUMBER.sub("0", other):
        return False
    pairs = zip(*([float(n.replace(",", "").replace(MINUS, "-")) for n in NUMBER.findall(line)]
                  for line in (one, other)), strict=True)
    return all(abs(a - b) <= CLOSE * max(abs(a), abs(b)) for a, b in pairs)


def differences(kept: NotebookNode, now: NotebookNode) -> list[str]:
    """The lines of what two notebooks show that are not alike, as a diff; none where all are."""
    before, after = told(kept), told(now)
    if len(before) == len(after):
        after = [a if alike(a, b) else b for a, b in zip(before, after, strict=True)]
    return list(difflib.unified_diff(before, after, "kept", "now", lineterm="", n=1))


def main() -> int:
    """Write or check the notebooks that were named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    failed = 0
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if options.names and path.stem not in options.names:
            continue
        kept = nbformat.read(path, nbformat.NO_CONVERT)
        now = executed(kept)
        found = differences(kept, now) if options.check else []
        print(f"{path.name}: {'differs' if found else 'alike' if options.check else 'written'}",
              *found, sep="\n", flush=True)
        failed += bool(found)
        if not options.check:
            nbformat.write(now, path)
            if path.stat().st_size > LARGEST:
                print(f"{path.name}: {path.stat().st_size:,} bytes, at most {LARGEST:,}")
                failed += 1
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
