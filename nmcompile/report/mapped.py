"""How a network lies on a chip: cores, what limits each layer, traffic between layers, links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Faults, Program, rates_by_name
from nmcompile.mapping.capacity import Demand
from nmcompile.mapping.faults import cut_off
from nmcompile.mapping.multicast.program import sent_in
from nmcompile.mapping.traffic import sent_by
from nmcompile.passes.route import multicast
from nmcompile.simulator import Expected, expected_traffic
from nmcompile.target import Target
from nmcompile.target.topology import (
    INPUT_TILE,
    board_width,
    chip_places,
    directions,
    tile_position,
)

TICK = "tick_ns"  # how the time of a tick is called among the limits, in nanoseconds
BUSIEST = 8  # links that are listed


def mapping_figures(program: Program, needs: Demand) -> dict[str, Any]:
    """Plain values for tables and JSON.

    limits   for each limit, what the fullest core needs and what a core has; where cores have to be
             done within a tick also "tick_ns", nanoseconds at the rates of the calibration data
    layers   cores, and of the fullest slice the limit nearest to its end; `copies` is how many
             slices a spike goes to on average, `stored_bits` the memory of the weights on all cores
    traffic  packets in a step between layers at the rates of the calibration data; where routers
             copy packets, `copies` in their place, one for each slice that hears a packet
    packets  in a step, before routers copy them; `hops` those of all their copies, None where
             it is not known what they cost
    links    the busiest links, packets in a step
    routers  the chips with most routing entries
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
        "packets": float(expected.sent.sum()),
        "hops": float(expected.hops.sum()) if target.costs_known else None,
        "links": _links(target, expected.loads),
        "routers": _routers(program),
    }


def _faults(program: Program, expected: Expected) -> dict[str, Any] | None:
    """Dead parts, and what their detours cost this placement.

    cores, links, cut_off  dead cores, dead links (one in each direction), and living cores that
                           dead links cut off
    bent, most_legs        pairs of tiles whose way goes around dead links, the most legs of one;
                           None where routers copy packets
    hops_straight          hops in a step if all links lived, with the slices on the same cores
    """
    faults, target = program.mapping.faults, program.target
    if not len(faults.cores) and not len(faults.links):
        return None
    legs = None if expected.ways is None else np.diff(expected.ways.start) + 1
    straight = _straight_hops if target.router is None else _whole_trees
    return {
        "cores": len(faults.cores), "links": len(faults.links),
        "cut_off": int(np.count_nonzero(cut_off(target, faults))),
        "bent": None if legs is None else len(legs),
        "most_legs": None if legs is None else int(legs.max(initial=1)),
        "hops_straight": straight(program, expected),
    }


def _straight_hops(program: Program, expected: Expected) -> float:
    """Hops in a step in dimension order."""
    at = np.concatenate([
        tile_position(program.target, program.mapping.slices.core), [INPUT_TILE]])
    sent = expected.packets.tocoo()
    return float((sent.data * np.abs(at[sent.row] - at[sent.col]).sum(axis=1)).sum())


def _whole_trees(program: Program, expected: Expected) -> float:
    """Hops in a step through trees that were grown as if nothing were dead."""
    network, target = program.network, program.target
    sent = sent_in(network, replace(program.mapping, faults=Faults()), target)
    rates = sent_by(sent.senders, rates_by_name(network, program.mapping.rates))
    return float(rates @ multicast.trees(sent.machine, sent.demand).hops())


def _limits(program: Program, needs: Demand) -> list[dict[str, Any]]:
    core, chip = program.mapping.slices.core, program.target.core
    rows = [
        {"limit": name, "need": int(per_core.max()),
         "have": getattr(chip, name).value, "kind": getattr(chip, name).kind}
        for name, per_core in needs.on_cores(core, program.target.n_cores).items()
    ]
    tick = program.target.times.tick
    if needs.tick_ns is not None and tick is not None:
        busy = np.bincount(core, needs.tick_ns)
        rows.append({"limit": TICK, "need": int(busy.max()), "have": _tick_ns(program.target),
                     "kind": tick.kind})
    return rows


def _tick_ns(target: Target) -> int:
    return round(target.times.tick.value * 1e9) if target.times.tick else 0


def _layers(program: Program, needs: Demand) -> list[dict[str, Any]]:
    network, slices, rows = program.network, program.mapping.slices, []
    need = needs.of_slices()
    have = {name: getattr(program.target.core, name).value for name in need}
    if needs.tick_ns is not None:
        need, have = {**need, TICK: needs.tick_ns}, {**have, TICK: _tick_ns(program.target)}
    limits = [name for name in need if have[name] > 1]  # of one, every core has all that it needs
    used = np.stack([need[name] / have[name] for name in limits])
    for index, population in enumerate(network.populations):
        mine = np.flatnonzero(slices.population == index)
        limit, fullest = np.unravel_index(used[:, mine].argmax(), (len(limits), len(mine)))
        outgoing = [axons for p, axons in zip(network.projections, program.mapping.axons,
                                              strict=True) if p.source == population.name]
        rows.append({
            "name": population.name, "neurons": population.size,
            "cores": len(np.unique(slices.core[mine])), "limit": limits[limit],
            "need": int(need[limits[limit]][mine[fullest]]),
            "used": float(used[limit, mine[fullest]]),
            "copies": sum(len(axons.slice) for axons in outgoing) / population.size,
            "stored_bits": int(needs.synapse_bits[mine].sum()),
        })
    return rows


def _traffic(program: Program, expected: Expected) -> list[dict[str, Any]]:
    """Packets or copies between layers, in the network's order; inputs together are "input"."""
    network, slices = program.network, program.mapping.slices
    n = len(network.populations)
    layer = np.append(slices.population, n)
    packets = expected.packets.tocoo()
    between = np.zeros((n + 1, n))
    np.add.at(between, (layer[packets.row], slices.population[packets.col]), packets.data)
    names = [p.name for p in network.populations]
    unit = "packets" if program.target.router is None else "copies"
    return [{"source": names[a] if a < n else "input", "target": names[b],
             unit: float(between[a, b])}
            for a in (n, *range(n)) for b in range(n) if between[a, b] > 0]


def _links(target: Target, loads: Array) -> list[dict[str, Any]]:
    order = np.lexsort((np.arange(len(loads)), -loads))[:BUSIEST]
    width, names = board_width(target), directions(target)
    return [{"column": int(link // len(names) % width), "row": int(link // len(names) // width),
             "direction": names[link % len(names)], "packets": float(loads[link])}
            for link in order if loads[link] > 0]


def _routers(program: Program) -> list[dict[str, Any]]:
    """The chips with the longest routing tables, and what a table may have."""
    router, routing = program.target.router, program.mapping.routing
    if router is None or routing is None:
        return []
    entries, places = routing.tables.entries(), chip_places(router)
    order = np.lexsort((np.arange(len(entries)), -entries))[:BUSIEST]
    return [{"column": int(places[chip, 0]), "row": int(places[chip, 1]),
             "entries": int(entries[chip]), "have": router.entries.value,
             "kind": router.entries.kind}
            for chip in order if entries[chip] > 0]
