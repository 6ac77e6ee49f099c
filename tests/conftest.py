"""What holds for all tests."""

import os
import signal

# readline tells the workers of pytest-xdist how wide a terminal is that they do not have.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# A shell starts jobs behind its back with SIGINT ignored, which tests send themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
