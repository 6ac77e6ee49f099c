"""What SpiNNaker's routers are loaded with, and the keys that cores and inputs send."""

from __future__ import annotations

from typing import Any

from nmcompile.mapping import Program
from nmcompile.mapping.capacity import runs_of_inputs
from nmcompile.target.topology import chip_places


def key_of(program: Program, sender: int) -> dict[str, int]:
    """The block of keys of a sender; its neuron i sends `key + (i << key_shift)`."""
    routing, router = program.mapping.routing, program.target.router
    assert routing is not None
    assert router is not None
    return {"key": int(routing.keys.key[sender]), "mask": int(routing.keys.mask[sender]),
            "key_shift": router.spare_bits.value}


def input_keys(program: Program) -> list[list[dict[str, int]]]:
    """For each input, the first line and the keys of its runs of lines."""
    sender, found, run = len(program.mapping.slices), [], program.target.core.neurons.value
    for port in program.network.inputs:
        runs = runs_of_inputs(port.size, program.target)
        found.append([{"first_line": i * run, **key_of(program, sender + i)} for i in range(runs)])
        sender += runs
    return found


def places_of(program: Program) -> list[list[int]]:
    """Column and row of each chip."""
    router = program.target.router
    assert router is not None
    places: list[list[int]] = chip_places(router).tolist()
    return places


def routers(program: Program) -> list[dict[str, Any]]:
    """The chips with entries: number, place, and rows of key, mask and route, the first match wins.

    Bits 0 to 5 of a route are the links east, northeast, north, west, southwest and south; bit
    6 + p is processor p.
    """
    routing = program.mapping.routing
    assert routing is not None
    places, tables = places_of(program), routing.tables
    words = list(zip(tables.key.tolist(), tables.mask.tolist(), tables.route.tolist(), strict=True))
    start = tables.start.tolist()
    return [{"chip": chip, "x": x, "y": y, "entries": words[start[chip]:start[chip + 1]]}
            for chip, (x, y) in enumerate(places) if start[chip] < start[chip + 1]]
