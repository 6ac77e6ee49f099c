"""Run the conformance tests and write their results into the pages of docs/frontends.

    python tools/conformance.py

Exits with 1, and writes nothing, where a row failed or was skipped.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "frontends"
TESTS = ROOT / "tests" / "conformance" / "test_conformance.py"
# Page of each library's rows; `networks` are of several libraries.
PAGE_OF = {"Brevitas": "brevitas", "DCLS": "torch", "Norse": "norse", "Rockpool": "rockpool",
           "Sinabs": "sinabs", "SpikingJelly": "spikingjelly", "lava-dl": "lava-dl",
           "networks": "index", "snnTorch": "snntorch", "torch": "torch"}
BEGIN, END = "<!-- conformance: begin -->\n", "<!-- conformance: end -->\n"


class Results:
    """Collects the outcome of each row as pytest reports it."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test's call, or of what kept it from being called."""
        row = re.fullmatch(r".*\[(.*)\]", report.nodeid, re.DOTALL)
        if row and (report.when == "call" or report.outcome != "passed"):
            self.outcomes[row[1]] = report.outcome


def table(outcomes: dict[str, str]) -> str:
    """The rows as one Markdown table."""
    lines = ["| library | construct | spikes equal, states to 1e-5 |", "|---|---|---|"]
    for name, outcome in outcomes.items():
        library, _, construct = name.partition(": ")
        lines.append(f"| {_with_version(library)} | {construct} | {outcome} |")
    return "\n".join(lines) + "\n"


def _with_version(library: str) -> str:
    try:
        return f"{library} {version(library.lower())}"
    except PackageNotFoundError:
        return library  # networks of several libraries


def main() -> int:
    """Run, and write the tables between their two marks."""
    results = Results()
    code = pytest.main(["-q", str(TESTS)], plugins=[results])
    if code or set(results.outcomes.values()) != {"passed"}:
        return 1
    for page in sorted(set(PAGE_OF.values())):
        path = PAGES / f"{page}.md"
        own = {name: outcome for name, outcome in results.outcomes.items()
               if PAGE_OF[name.partition(": ")[0]] == page}
        before, rest = path.read_text("utf-8").split(BEGIN)
        path.write_text(f"{before}{BEGIN}{table(own)}{END}{rest.split(END)[1]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
