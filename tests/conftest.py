"""What holds for all tests."""

import os

# readline tells the workers of pytest-xdist how wide a terminal is that they do not have.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
