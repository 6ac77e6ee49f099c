"""Run `nmc` in this process."""

import sys
from dataclasses import dataclass

from nmcompile.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def nmc(capsys, monkeypatch, *arguments):
    """Exit code and output of `nmc ARGUMENTS`."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["nmc", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as request:
        code = int(request.code or 0)
    captured = capsys.readouterr()
    return Outcome(code=code, out=captured.out, err=captured.err)
