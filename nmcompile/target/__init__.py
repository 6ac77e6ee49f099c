"""What a chip is: the schema of a target file and how targets are found."""

from nmcompile.target.constants import Constant
from nmcompile.target.load import (
    installed,
    load_target,
    parse_target,
    read_target,
    with_chips,
)
from nmcompile.target.machines import fitting_chips
from nmcompile.target.schema import Target

__all__ = [
    "Constant", "Target", "fitting_chips", "installed", "load_target", "parse_target",
    "read_target", "with_chips",
]
