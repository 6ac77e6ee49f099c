"""Where each slice may be: what the user asks, and which cores of a chip suit a layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nmcompile.errors import ConstraintError, PlacementError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices
from nmcompile.mapping.constraints import Constraints
from nmcompile.target import Target

Allowed = tuple[tuple[Array, Array], ...]


def allowed(
    network: Network, slices: Slices, together: Array, constraints: Constraints,
    suited: dict[str, Array], target: Target,
) -> Allowed:
    """Pairs of slice numbers (k,) and the cores (n_cores,) bool where alone these may be.

    together  (s,) slices of one number share a core
    suited    layer -> (n_cores,) bool where the chip's cores differ and not all hold it

    Layers that belong together get the first chip with room for all of them; layers that must be
    apart get chips of their own, the first that have room. Raises NmcError where there are none.
    """
    free = constraints.free(target)
    masks = {p.name: free & constraints.on.get(p.name, True) & suited.get(p.name, True)
             for p in network.populations}
    index = {p.name: i for i, p in enumerate(network.populations)}

    def cores_of(layers: tuple[str, ...]) -> int:
        mine = np.isin(slices.population, [index[name] for name in layers])
        return len(np.unique(together[mine]))

    need = {name: cores_of((name,)) for name in index}
    units = list(_units(constraints, list(need)))
    apart = {pair for group in constraints.apart for pair in _pairs(group)}
    taken = np.zeros(target.board.chips.value, np.int64)
    held: dict[str, Array] = {}
    for unit in units:
        conflicts = [other for other in held if any((other, n) in apart for n in unit)]
        if any((a, b) in apart for a in unit for b in unit):
            raise ConstraintError(f"layers {', '.join(unit)}", "are asked to be together and apart",
                                  "Take them out of one of the two.")
        union = np.logical_or.reduce([masks[n] for n in unit])
        room = union.reshape(-1, target.cores_per_chip).sum(axis=1) - taken
        for other in conflicts:
            room = np.where(held[other], 0, room)
        one = any(unit[0] in group for group in constraints.together)
        chips = _chips(unit, cores_of(unit), room, taken, one)
        for name in unit:
            held[name] = chips
            masks[name] = masks[name] & np.repeat(chips, target.cores_per_chip)
    fixed = [p.name for p in network.populations
             if p.name in held or p.name in constraints.on or p.name in suited]
    found = tuple((np.flatnonzero(slices.population == index[n]), masks[n]) for n in fixed)
    for name, (_, mask) in zip(fixed, found, strict=True):
        if need[name] > np.count_nonzero(mask):
            raise PlacementError(
                name, f"needs {need[name]:,} cores, {np.count_nonzero(mask):,} are "
                "left to it", "Allow it more cores, or reserve fewer.")
    return found


def _units(constraints: Constraints, names: list[str]) -> Iterator[tuple[str, ...]]:
    """Layers that share a chip, and single ones that must be apart from others."""
    group = constraints.chip_mates(names)
    concerned = {n for members in (*constraints.together, *constraints.apart) for n in members}
    for root in names:
        unit = tuple(n for n in names if group[n] == root and n in concerned)
        if unit:
            yield unit


def _chips(unit: tuple[str, ...], need: int, room: Array, taken: Array, one: bool) -> Array:
    """(chips,) bool: those of a unit; `taken` grows by the cores that it will need on each.

    room  (chips,) cores that the unit may take
    one   whether it may take one chip only
    """
    wanted, chips = need, np.zeros(len(room), bool)
    for chip in np.flatnonzero(room >= (wanted if one else 1)):
        part = min(wanted, int(room[chip]))
        chips[chip] = True
        taken[chip] += part
        wanted -= part
        if not wanted:
            return chips
    raise PlacementError(
        f"layers {', '.join(unit)}" if len(unit) > 1 else unit[0],
        f"need {need:,} cores{' on one chip' if one else ''}, a chip has room for "
        f"{int(room.max(initial=0)):,} at most",
        "Ask less of together, apart, on and reserve.")


def _pairs(group: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((a, b) for a in group for b in group if a != b)
