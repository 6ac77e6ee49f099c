"""Map the same networks with sPyNNaker and with ours; print time, entries and hops side by side.

    python tools/oracles/make_env.py spinnaker DIR
    python tools/bench/spinnaker_mapping.py DIR/bin/python [--repeats N]

sPyNNaker maps to a virtual board of 48 chips in a process of its own (tools/oracles/
spinnaker_mapping.py). Ours gets the same populations, cuts them into the same slices, on the cores
that sPyNNaker leaves to applications, and has to reach the cores that sPyNNaker's own tables reach,
no more and no fewer: a difference is an error. Both tables are then walked with every key.

Time is the least of equally many repeats in a warm process. `mapping ms` is sPyNNaker's placer,
router, key allocator and table generator, without its partitioner, which looks at synapses, and
without its compressor; `ours ms` is everything from the populations to compressed tables. Entries
are after compression as far as each side can: theirs by the pair compressor, the default of a
virtual board, or by ordered covering, where its tables are shorter and still reach all (`covering
loses` counts pairs of slices that they lose). Hops are links that one packet of every slice
crosses. `on their places` is ours with sPyNNaker's placement.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spinnaker_networks import ALL_TO_ALL, NETWORKS, ONE_TO_ONE, PROBABILITY, Net

from nmcompile.passes.route import multicast

Array = np.ndarray
ORACLE = Path(__file__).parents[1] / "oracles" / "spinnaker_mapping.py"
LARGEST = 256, 500  # neurons of a core: sPyNNaker's defaults for neurons and Poisson sources
COLOUR_BITS = 4  # low key bits that sPyNNaker keeps for each neuron (`n_colour_bits`)
CENTRE = 4, 4  # of the board


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices:
    """Slices in the network's order: population, first neuron and end of each."""

    population: Array
    low: Array
    high: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """One network on the machine."""

    demand: multicast.Demand
    trees: multicast.Trees
    keys: multicast.Keys
    tables: multicast.Tables


def partition(net: Net) -> Slices:
    """Populations cut into slices of at most the neurons of a core."""
    sizes = np.array(net.sizes)
    most = np.where(net.inputs, LARGEST[1], LARGEST[0])
    counts = -(-sizes // most)
    population = np.repeat(np.arange(len(sizes)), counts)
    inside = np.arange(len(population)) - np.repeat(np.cumsum(counts) - counts, counts)
    low = inside * most[population]
    return Slices(population=population, low=low,
                  high=np.minimum(low + most[population], sizes[population]))


def pairs(net: Net, slices: Slices) -> tuple[Array, Array]:
    """Sending and receiving slice of every pair that a projection connects."""
    first = np.searchsorted(slices.population, np.arange(len(net.sizes) + 1))
    found = []
    for number, (pre, post, kind, _) in enumerate(net.projections):
        a, b = np.arange(*first[pre:pre + 2]), np.arange(*first[post:post + 2])
        if kind in (ALL_TO_ALL, PROBABILITY):
            found.append((np.repeat(a, len(b)), np.tile(b, len(a))))
            continue
        if kind == ONE_TO_ONE:
            meets = (slices.low[a][:, None] < slices.high[b]) & (
                slices.low[b] < slices.high[a][:, None])
        else:
            rows = net.rows[number]
            cell = rows[:, 0] // LARGEST[net.inputs[pre]] * len(b) + rows[:, 1] // LARGEST[0]
            meets = np.bincount(cell, minlength=len(a) * len(b)).reshape(len(a), len(b)) > 0
        here, there = np.nonzero(meets)
        found.append((a[here], b[there]))
    source, target = (np.concatenate(part) for part in zip(*found, strict=True))
    return source, target


def place(machine: multicast.Machine, population: Array) -> tuple[Array, Array]:
    """Chip and core of each slice: chips in a spiral from the middle are filled in order.

    A population that would cross to the next chip, though it fits on one, starts there.
    """
    order = _spiral(machine)
    ends = np.cumsum([int(cores).bit_count() for cores in machine.cores[order]])
    starts = np.concatenate([[0], ends[:-1]])
    counts = np.bincount(population)
    begin, at = np.empty(len(counts), np.int64), 0
    for i, size in enumerate(counts.tolist()):
        chip = np.searchsorted(ends, at, "right")
        if ends[chip] - at < size <= ends[chip + 1] - ends[chip]:
            at = int(ends[chip])
        begin[i], at = at, at + size
    position = np.repeat(begin - np.cumsum(counts) + counts, counts) + np.arange(len(population))
    number = np.searchsorted(ends, position, "right")
    return order[number].astype(np.int32), _cores(machine, order[number], position - starts[number])


def _spiral(machine: multicast.Machine) -> Array:
    """Chips by their distance from the middle, and around it."""
    x, y = machine.x - CENTRE[0], machine.y - CENTRE[1]
    distance = np.maximum(np.maximum(abs(x), abs(y)), abs(x - y))
    angle = np.arctan2(y * np.sqrt(0.75), x - 0.5 * y)
    return np.lexsort((np.round(angle, 6), distance))


def _cores(machine: multicast.Machine, chip: Array, rank: Array) -> Array:
    """The core of each chip that is the `rank`th of those that run applications."""
    bits = machine.cores[:, None] >> np.arange(multicast.N_CORES, dtype=np.uint32) & 1
    by_rank = np.argsort(-bits.astype(np.int8), axis=1, kind="stable")
    return by_rank[chip, rank]


def ours(net: Net, machine: multicast.Machine,
         places: tuple[Array, Array] | None = None) -> Mapped:
    """Everything from populations to compressed tables, on `places` if given."""
    slices = partition(net)
    source, target = pairs(net, slices)
    chip, core = places or place(machine, slices.population)
    demand = multicast.demand(chip, core, slices.high - slices.low, source, target)
    trees = multicast.trees(machine, demand)
    keys = multicast.keys(demand, trees, COLOUR_BITS)
    made = multicast.compress(machine, multicast.arrivals(machine, trees, keys))
    return Mapped(demand=demand, trees=trees, keys=keys, tables=made)


def theirs(python: str, net: Net, repeats: int) -> dict[str, Array]:
    """What sPyNNaker makes of `net`."""
    with tempfile.TemporaryDirectory() as home:
        net.save(f"{home}/network.npz")
        command = [python, ORACLE, "network.npz", "mapped.npz", "--repeats", str(repeats)]
        done = subprocess.run(command, cwd=home, env={**os.environ, "HOME": home}, text=True,
                              capture_output=True, check=False)
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        with np.load(f"{home}/mapped.npz") as mapped:
            return dict(mapped)


def same_machine(mapped: dict[str, Array]) -> multicast.Machine:
    """The board with the cores that sPyNNaker leaves: not 1, on chip (0, 0) not 2 (monitors)."""
    board = multicast.spin5()
    dead = tuple((x, y, core) for x, y, n in mapped["free"].tolist()
                 for core in (1, *(2,) * (x == y == 0), *range(n + 1, multicast.N_CORES)))
    machine = multicast.spin5(multicast.Faults(cores=dead))
    there = {(x, y): i for i, (x, y) in enumerate(zip(board.x, board.y, strict=True))}
    links = sorted((there[a, b], link, there[c, d])
                   for a, b, link, c, d in mapped["links"].tolist())
    rows, columns = np.nonzero(board.neighbour >= 0)
    found = zip(rows, columns, board.neighbour[rows, columns], strict=True)
    assert links == sorted(found), "sPyNNaker's board has other links"
    return machine


def their_places(mapped: dict[str, Array]) -> tuple[Array, Array]:
    """Chip and core of sPyNNaker's slices in the network's order."""
    order = np.lexsort((mapped["slices"][:, 1], mapped["slices"][:, 0]))
    x, y, core = mapped["cores"][order].T
    return _chips()[x, y].astype(np.int32), core


def _chips() -> Array:
    """(8, 8) number of the chip at x, y of a board."""
    board = multicast.spin5()
    index = np.full((8, 8), -1)
    index[board.x, board.y] = np.arange(len(board))
    return index


def walked(mapped: dict[str, Array], name: str) -> tuple[Array, int, Array]:
    """Pairs of slices that sPyNNaker's tables connect, sorted; links that packets of all cross."""
    board, index = multicast.spin5(), _chips()
    rows, cores, slices = mapped[name], mapped["cores"], mapped["slices"]
    order = np.argsort(index[rows[:, 0], rows[:, 1]], kind="stable")
    key, mask, route = rows[order, 2:].T.astype(np.uint32)
    chips = index[rows[order, 0], rows[order, 1]]
    made = multicast.Tables(start=np.searchsorted(chips, np.arange(len(board) + 1)),
                            key=key, mask=mask, route=route)
    sender = mapped["keys"][:, 0]
    place = index[cores[:, 0], cores[:, 1]].astype(np.int32)
    rank = np.empty(len(slices), np.int64)
    rank[np.lexsort((slices[:, 1], slices[:, 0]))] = np.arange(len(slices))
    owner = np.full((len(board), multicast.N_CORES), -1)
    owner[place, cores[:, 2]] = rank
    n = len(sender)
    keys = multicast.Keys(key=mapped["keys"][:, 1].astype(np.uint32),
                          mask=mapped["keys"][:, 2].astype(np.uint32))
    single = multicast.Demand(chip=place[sender], neurons=np.ones(n, np.int64),
                              start=np.arange(n + 1), target=place[sender],
                              cores=np.zeros(n, np.uint32))
    reached = multicast.walk(board, single, keys, made)
    row, core = np.nonzero(reached.cores[:, None] >> np.arange(multicast.N_CORES) & 1)
    source, target = rank[sender[reached.source[row]]], owner[reached.chip[row], core]
    return np.unique(source * len(slices) + target), reached.hops


def compare(net: Net, peer: dict[str, Array], repeats: int) -> dict[str, float]:
    """A row of the table, after both mappings are walked with every key."""
    machine = same_machine(peer)
    slices = partition(net)
    source, target = pairs(net, slices)
    wanted = np.unique(source * len(slices.low) + target)
    mine = ours(net, machine)
    packets = multicast.check(machine, mine.demand, mine.keys, mine.tables)
    hops = int(mine.trees.hops().sum())
    assert packets == int((mine.trees.hops() * mine.demand.neurons).sum())
    found = {name: walked(peer, name) for name in ("plain", "pair", "covering")}
    right = {name: bool(np.array_equal(reached, wanted)) for name, (reached, _) in found.items()}
    assert right["plain"], "sPyNNaker's tables connect other slices"
    assert right["pair"], "sPyNNaker's compressed tables connect other slices"
    spent = dict(zip(peer["stages"].tolist(), 1e3 * peer["seconds"], strict=True))
    mapping = sum(spent[stage] for stage in ("place", "route", "keys", "tables"))
    took = 1e3 * min(_seconds(net, machine) for _ in range(repeats))
    theirs_hops = found["plain"][1]
    alike = ours(net, machine, their_places(peer))
    multicast.check(machine, alike.demand, alike.keys, alike.tables)
    entries = min(len(peer[name]) for name in ("pair", "covering") if right[name])
    return {
        "slices": len(slices.low), "partition ms": spent["partition"], "mapping ms": mapping,
        "compress ms": spent["compress"], "ours ms": took, "time ratio": took / mapping,
        "entries": len(peer["plain"]), "compressed": entries, "our entries": len(mine.tables),
        "entry ratio": len(mine.tables) / entries, "hops": theirs_hops, "our hops": hops,
        "hop ratio": hops / theirs_hops if theirs_hops else 1.0,
        "entries on their places": len(alike.tables),
        "hops on their places": int(alike.trees.hops().sum()),
        "covering loses": len(np.setdiff1d(wanted, found["covering"][0])),
    }


def _seconds(net: Net, machine: multicast.Machine) -> float:
    start = time.perf_counter()
    ours(net, machine)
    return time.perf_counter() - start


def main() -> None:
    """Print the comparison of every network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", help="interpreter that has sPyNNaker")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one object for each network")
    arguments = parser.parse_args()
    for number, (name, build) in enumerate(NETWORKS.items()):
        net = build()
        row = compare(net, theirs(arguments.python, net, arguments.repeats), arguments.repeats)
        if arguments.json:
            print(json.dumps({"network": name, **row}), flush=True)
            continue
        if not number:
            print(f"{'network':18}", *row)
        print(f"{name:18}", *(f"{value:{len(head)}.{2 * isinstance(value, float)}f}"
                              for head, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
