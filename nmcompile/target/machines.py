"""Boards of chips with routers, side by side."""

from __future__ import annotations

from math import isqrt
from typing import Any

from nmcompile.errors import OptionError
from nmcompile.target.schema import MAX_CORES, Router, Target

# SpiNNMachine 7.4.1 `version_48_chips.py`: a board is a hexagon in 8 x 8, and three tile a torus.
BOARD, SIZE, TORUS = 48, 8, 12
CORNERS = [(x, y) for y in range(SIZE) for x in range(SIZE)
           if not max(0, y - 3) <= x <= min(SIZE - 1, y + 4)]
WHY = "a board of 48 chips is a hexagon, three are 12 x 12: SpiNNMachine 7.4.1 version_48_chips.py"


def routed_chips(target: Target, chips: int) -> Target:
    """`target`, which has routers, as a machine of `chips` chips.

    A board of 48 chips stands alone; sets of three are a torus, as near to a square as can be.
    Raises NmcError for any other number, and for more cores than a machine may have.
    """
    router, own = target.router, target.board.chips.value
    assert router is not None
    if chips == own:
        return target
    sets, rest = divmod(chips, 3 * BOARD)
    hexagons = _is_of_hexagons(router, own)
    if not hexagons or (chips != BOARD and (sets < 1 or rest)):
        raise OptionError(
            target.name, f"{chips:,} chips make no machine of its boards",
            f"Take --chips {BOARD} for one board, or {3 * BOARD}, {6 * BOARD}, ... for sets of "
            "three." if hexagons else f"Its one board has {own:,} chips.")
    if chips * target.cores_per_chip > MAX_CORES:
        raise OptionError(
            target.name, f"a machine of {chips:,} chips has "
            f"{chips * target.cores_per_chip:,} cores, expected {MAX_CORES:,} at most",
            f"Take --chips {_most_sets(target) * 3 * BOARD} at most.")
    shape: dict[str, Any] = {"width": SIZE, "height": SIZE, "wrap": False, "missing": CORNERS}
    if sets:
        high = next(n for n in range(isqrt(sets), 0, -1) if sets % n == 0)
        shape = {"width": TORUS * sets // high, "height": TORUS * high, "wrap": True, "missing": []}
    text = target.model_dump(mode="json")
    _set(text["board"], {"chips": chips})
    _set(text["router"], {**shape, "missing_links": []})
    return Target.model_validate(text, strict=False)


def fitting_chips(target: Target, chips: int) -> int:
    """The chips of the smallest machine with at least `chips` of them; 0 where there is none."""
    own = target.board.chips.value
    if chips <= own:
        return own
    if target.router is not None:
        chips = -(-chips // (3 * BOARD)) * 3 * BOARD
    fits = chips * target.cores_per_chip <= MAX_CORES and (
        target.router is None or _is_of_hexagons(target.router, own))
    return chips if fits else 0


def _most_sets(target: Target) -> int:
    """How many sets of three boards a machine may have."""
    return MAX_CORES // (3 * BOARD * target.cores_per_chip)


def _is_of_hexagons(router: Router, chips: int) -> bool:
    width, height = router.width.value, router.height.value
    if router.wrap.value:
        return width % TORUS == height % TORUS == 0 and width * height == chips
    return set(router.missing.value) == set(CORNERS) and (width, height) == (SIZE, SIZE)


def _set(table: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        table[name] |= {"value": value, "source": f"chosen by the user; {WHY}"}
