"""Run `nmc` in this process."""

import re
import signal
import sys
from dataclasses import dataclass

from nmcompile.cli import main
from nmcompile.errors import kinds


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def nmc(capsys, monkeypatch, *arguments):
    """Exit code and output of `nmc ARGUMENTS`, without lines on its progress on a slow machine."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["nmc", *map(str, arguments)])
    monkeypatch.setattr("nmcompile.cli._progress.STAGE_S", float("inf"))
    code, interrupts = 0, signal.getsignal(signal.SIGINT)
    try:
        main()
    except SystemExit as request:
        code = int(request.code or 0)
    finally:
        signal.signal(signal.SIGINT, interrupts)  # nmc ignores them once it is done
    captured = capsys.readouterr()
    return Outcome(code=code, out=captured.out, err=captured.err)


def refusal(err):
    """What the one line of error in `err` says, ahead of the code that it ends with."""
    said, code = re.fullmatch(r"nmc: error: (.*)  \[(NMC-E\d{4})\]\n", err).groups()
    assert code in kinds()
    return said
