"""Where a network lies: cores and their layers, links and their packets, how full cores are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand
from nmcompile.simulator import expected_traffic
from nmcompile.target import Target
from nmcompile.target.topology import board_width, directions, tile_position

NAMED = 3  # layers that a core with many of them is said to hold


def floor_figures(program: Program) -> dict[str, Any]:
    """The part of the board that is used, as columns.

    chip   columns and rows of tiles of a chip; None where each tile is a chip with a router
    cores  number, column, row and layers of each core that is used
    links  what `link_figures` gives at the rates that the mapping was made for
    """
    target = program.target
    cores, place = np.unique(program.mapping.slices.core, return_inverse=True)
    column, row = tile_position(target, cores).T
    board = target.board
    return {
        "chip": None if target.router else [board.mesh_width.value, board.mesh_height.value],
        "cores": {"core": cores.tolist(), "column": column.tolist(), "row": row.tolist(),
                  "layers": _layers(program, place)},
        "links": link_figures(program),
    }


def link_figures(program: Program, rates: Array | None = None) -> dict[str, Any]:
    """Column, row, direction and packets a step of each link that is used.

    rates  (n,) spikes of each input line and neuron in a step; None: those that the mapping was
           made for, of the calibration data
    """
    if rates is not None:
        program = replace(program, mapping=replace(
            program.mapping, rates=rates.astype(np.float32)))
    found = _links(program.target, expected_traffic(program).loads)
    return {name: values.tolist() for name, values in found.items()}


def core_figures(program: Program, needs: Demand) -> dict[str, Any]:
    """Limit -> of each core that is used, cores rising, the share of it that is used."""
    cores, place = np.unique(program.mapping.slices.core, return_inverse=True)
    found = needs.on_cores(place, len(cores))
    return {limit: (need / getattr(program.target.core, limit).value).tolist()
            for limit, need in found.items()}


def _layers(program: Program, place: Array) -> list[str]:
    """The layers on each core, in words; (slices,) `place` is the core's number from 0."""
    names = [p.name for p in program.network.populations]
    pairs = np.unique(np.stack([place, program.mapping.slices.population]), axis=1)
    found: list[list[str]] = [[] for _ in range(int(place.max()) + 1)]
    for number, population in pairs.T.tolist():
        found[number].append(names[population])
    return [", ".join(each) if len(each) <= NAMED else
            f"{', '.join(each[:NAMED])} and {len(each) - NAMED} more" for each in found]


def _links(target: Target, loads: Array) -> dict[str, Array]:
    """Links that packets take, by number."""
    names, width = np.array(directions(target)), board_width(target)
    link = np.flatnonzero(loads > 0)
    tile, direction = np.divmod(link, len(names))
    return {"column": tile % width, "row": tile // width, "direction": names[direction],
            "packets": loads[link]}
