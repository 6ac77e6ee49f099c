"""Find targets by name or file, read and check them."""

from __future__ import annotations

from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from nmcompile.errors import OptionError, PluginError, unknown_name
from nmcompile.target.constants import Constant
from nmcompile.target.machines import routed_chips
from nmcompile.target.schema import MAX_CORES, Target
from nmcompile.toml import parse_toml, read_toml

KIND = "target file"


def load_target(name: str) -> Target:
    """The target called `name` (installed) or in the file `name` (a path to a TOML file)."""
    path = Path(name)
    if path.suffix == ".toml" or "/" in name:
        return read_target(path)
    known = installed()
    if name not in known:
        raise unknown_name("target", name, known)
    return parse_target(known[name], f"{name}.toml")


def installed() -> dict[str, str]:
    """Text of every installed target file by the target's name, sorted.

    The packages come from the entry points of group `nmcompile.targets`; a package that does not
    import is an error and is not passed over.
    """
    found: dict[str, str] = {}
    for entry in sorted(entry_points(group="nmcompile.targets"), key=lambda e: (e.name, e.value)):
        for resource in files(entry.value).iterdir():
            if not resource.name.endswith(".toml"):
                continue
            name = resource.name.removesuffix(".toml")
            if name in found:
                raise PluginError(
                    f"target {name}",
                    f"two packages provide it, one is {entry.value}",
                    "Uninstall one of them.",
                )
            found[name] = resource.read_text("utf-8")
    return dict(sorted(found.items()))


def read_target(path: Path) -> Target:
    """The target in the TOML file `path`."""
    return read_toml(path, Target, KIND)


def parse_target(text: str, where: str) -> Target:
    """The target that `text` describes; `where` names it in messages.

    Raises NmcError with the file, the first wrong field, and what is expected there.
    """
    return parse_toml(text, Target, where, KIND)


def with_chips(target: Target, chips: int) -> Target:
    """`target` on a board of `chips` of its chips.

    Raises NmcError where that is more cores than a board may have, or no machine of its boards.
    """
    if target.router is not None:
        return routed_chips(target, chips)
    constant = Constant[int](value=chips, unit="chips", kind=target.board.chips.kind,
                             source=f"chosen by the user; {target.board.chips.source}")
    board = target.board.model_copy(update={"chips": constant})
    cores = target.cores_per_chip * chips
    if not 1 <= chips or cores > MAX_CORES:
        raise OptionError(
            target.name, f"a board of {chips:,} chips has {cores:,} cores, expected 1 "
            f"to {MAX_CORES:,}",
            f"Take --chips 1 to {MAX_CORES // target.cores_per_chip}.")
    return target.model_copy(update={"board": board})
