"""Run `nmc` in a terminal of its own: a pseudo-terminal, as wide as a test wants it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

# A program starts with Ctrl-C ignored where what starts it ignores it, as a shell's "&" does.
NMC = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from nmcompile.cli import main
main()"""
APART = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


@dataclass(frozen=True)
class Seen:
    """Exit code and all that the terminal was sent."""

    code: int
    raw: str

    @property
    def text(self):
        return ESCAPE.sub("", self.raw).replace("\r", "\n")


def in_terminal(*arguments, columns=80, press_at=None, **variables):
    """Run `nmc ARGUMENTS`; with `press_at`, Ctrl-C is pressed once that text was drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in APART}
    with subprocess.Popen(
            [sys.executable, "-c", NMC, *map(str, arguments)], stdin=theirs, stdout=theirs,
            stderr=theirs, env={**env, "TERM": "xterm-256color", **variables},
            start_new_session=True) as process:
        os.close(theirs)
        seen, pressed = b"", press_at is None
        while select.select([ours], [], [], 300)[0]:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not read:
                break
            seen += read
            if not pressed and press_at in seen.decode(errors="replace"):
                process.send_signal(signal.SIGINT)
                pressed = True
        code = process.wait(60)
    os.close(ours)
    return Seen(code=code, raw=seen.decode(errors="replace"))
