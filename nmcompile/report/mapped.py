"""How a network lies on a chip: cores, what limits each layer, traffic between layers, links."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import LIMITS, Demand
from nmcompile.mapping.faults import cut_off
from nmcompile.simulator import Expected, expected_traffic
from nmcompile.target import Target
from nmcompile.target.topology import DIRECTIONS, INPUT_TILE, board_width, tile_position

BUSIEST = 8  # links that are listed


def mapping_figures(program: Program, needs: Demand) -> dict[str, Any]:
    """Plain values for tables and JSON.

    limits   for each limit, what the fullest core needs and what a core has
    layers   cores, and of the fullest slice the limit nearest to its end; `copies` is how many
             slices a spike goes to on average, `stored_bits` the memory of the weights on all cores
    traffic  packets and hops in a step between layers at the rates of the calibration data
    links    the busiest links, packets in a step
    faults   what dead parts cost; None where nothing is dead
    """
    target, core = program.target, program.mapping.slices.core
    expected = expected_traffic(program)
    cores = np.unique(core)
    return {
        "target": target.name,
        "cores": len(cores),
        "cores_of": target.n_cores,
        "chips": len(np.unique(cores // target.cores_per_chip)),
        "chips_of": target.board.chips.value,
        "faults": _faults(program, expected),
        "limits": _limits(program, needs),
        "layers": _layers(program, needs),
        "traffic": _traffic(program, expected),
        "packets": float(expected.packets.sum()),
        "hops": float(expected.hops.sum()),
        "links": _links(target, expected.loads),
    }


def _faults(program: Program, expected: Expected) -> dict[str, Any] | None:
    """Dead parts, and what their detours cost this placement.

    cores, links, cut_off  dead cores, dead links (one in each direction), and living cores that
                           dead links cut off
    bent, most_legs        pairs of tiles whose way goes around dead links, the most legs of one
    hops_straight          hops in a step if all links lived, with the slices on the same cores
    """
    faults, target = program.mapping.faults, program.target
    if not len(faults.cores) and not len(faults.links):
        return None
    at = np.concatenate([tile_position(target, program.mapping.slices.core), [INPUT_TILE]])
    sent = expected.packets.tocoo()
    straight = np.abs(at[sent.row] - at[sent.col]).sum(axis=1)
    legs = np.diff(expected.ways.start) + 1
    return {
        "cores": len(faults.cores), "links": len(faults.links),
        "cut_off": int(np.count_nonzero(cut_off(target, faults))),
        "bent": len(legs), "most_legs": int(legs.max(initial=1)),
        "hops_straight": float((sent.data * straight).sum()),
    }


def _limits(program: Program, needs: Demand) -> list[dict[str, Any]]:
    core, chip = program.mapping.slices.core, program.target.core
    return [
        {"limit": name, "need": int(np.bincount(core, getattr(needs, name)).max()),
         "have": getattr(chip, name).value, "kind": getattr(chip, name).kind}
        for name in LIMITS
    ]


def _layers(program: Program, needs: Demand) -> list[dict[str, Any]]:
    network, slices, rows = program.network, program.mapping.slices, []
    used = np.stack([getattr(needs, name) / getattr(program.target.core, name).value
                     for name in LIMITS])
    for index, population in enumerate(network.populations):
        mine = np.flatnonzero(slices.population == index)
        limit, fullest = np.unravel_index(used[:, mine].argmax(), (len(LIMITS), len(mine)))
        outgoing = [axons for p, axons in zip(network.projections, program.mapping.axons,
                                              strict=True) if p.source == population.name]
        rows.append({
            "name": population.name, "neurons": population.size,
            "cores": len(np.unique(slices.core[mine])), "limit": LIMITS[limit],
            "need": int(getattr(needs, LIMITS[limit])[mine[fullest]]),
            "used": float(used[limit, mine[fullest]]),
            "copies": sum(len(axons.slice) for axons in outgoing) / population.size,
            "stored_bits": int(needs.synapse_bits[mine].sum()),
        })
    return rows


def _traffic(program: Program, expected: Expected) -> list[dict[str, Any]]:
    """Packets between layers, in the network's order; inputs together are "input"."""
    network, slices = program.network, program.mapping.slices
    n = len(network.populations)
    layer = np.append(slices.population, n)
    packets = expected.packets.tocoo()
    between = np.zeros((n + 1, n))
    np.add.at(between, (layer[packets.row], slices.population[packets.col]), packets.data)
    names = [p.name for p in network.populations]
    return [{"source": names[a] if a < n else "input", "target": names[b],
             "packets": float(between[a, b])}
            for a in (n, *range(n)) for b in range(n) if between[a, b] > 0]


def _links(target: Target, loads: Array) -> list[dict[str, Any]]:
    order = np.lexsort((np.arange(len(loads)), -loads))[:BUSIEST]
    width = board_width(target)
    return [{"column": int(link // 4 % width), "row": int(link // 4 // width),
             "direction": DIRECTIONS[link % 4], "packets": float(loads[link])}
            for link in order if loads[link] > 0]
