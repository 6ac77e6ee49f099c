"""Placement against steepest pair swaps: joules of hops in a step, the busiest link, and time.

    python tools/bench/placement.py [PROGRAM.h5 ...]

Random layered networks of 128, 1,000 and 10,000 slices, on boards of Loihi 1 chips that just hold
them, and the programs that are named (such as build/demo/program.h5, each source at rate 1). Both
start from the same line that snakes through the tiles. The peer is nmcompile's former placement:
each slice in turn swaps with the one with which that saves most, until no swap helps; it is too
slow for 10,000 slices.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from _pair_swap_kernels import pair_swaps

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.files import load_program, program_family
from nmcompile.mapping.traffic import packets_between
from nmcompile.passes.place.arrange import Nodes, arrange, cost_of
from nmcompile.passes.place.board import board_of
from nmcompile.passes.place.place import by_node
from nmcompile.passes.place.start import first_cores, legal_cores
from nmcompile.registry import backend
from nmcompile.target import Target, load_target

SIZES = (128, 1000, 10_000)
SEEDS = (0, 1)
PEER_UP_TO = 1000


def main() -> None:
    """Print a line for each network and way."""
    compare("warm-up", load_target("loihi1"), layered(40, 0), say=False)
    for n in SIZES:
        for seed in SEEDS:
            compare(f"{n} slices, seed {seed}", board_for(n), layered(n, seed))
    for name in sys.argv[1:]:
        program = load_program(Path(name), backend(program_family(Path(name))).neurons)
        rates = {node.name: np.ones(node.size) for node in program.network.nodes}
        mapping = program.mapping
        between = packets_between(program.network, mapping.slices, mapping.axons, rates)
        packets, _ = by_node(*between, np.arange(len(mapping.slices)), program.target)
        compare(name, program.target, packets)


def compare(title: str, target: Target, packets: scipy.sparse.csr_array, say: bool = True) -> None:
    """Place `packets` in all ways and print what they cost."""
    n, usable = packets.shape[0] - 1, np.ones(target.n_cores, bool)
    group, legal = legal_cores(target, usable, n, ())
    busy_s = float(packets.sum(axis=0).max()) * target.time_s.packet_in.value
    nodes = Nodes(packets=packets, group=group, legal=legal, busy_s=busy_s)
    board = board_of(target, usable)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    first = first_cores(target, group, legal)
    ways = {"arrange": lambda: arrange(nodes, board, chip, first)}
    if n <= PEER_UP_TO:
        ways["pair swaps"] = lambda: pair_swaps(packets, board.tile_of(), first)
    base = cost_of(nodes, board, first)
    for name, way in ways.items():
        started = time.perf_counter()
        cost = cost_of(nodes, board, way())
        seconds = time.perf_counter() - started
        if say:
            share = cost.energy_j / base.energy_j if base.energy_j else 1.0  # on one tile
            print(f"{title}, {name:>10}: {cost.energy_j:.3e} J ({share:.3f} of the snake), "
                  f"busiest link {cost.link_s:.2e} s, {seconds:.2f} s")


def board_for(n: int) -> Target:
    """Loihi 1 with as many chips as `n` slices need."""
    target = load_target("loihi1")
    chips = target.board.chips.model_copy(update={"value": -(-n // target.cores_per_chip)})
    return target.model_copy(update={"board": target.board.model_copy(update={"chips": chips})})


def layered(n: int, seed: int) -> scipy.sparse.csr_array:
    """Packets of layers of random sizes on square grids; slices reach those near in the next."""
    rng = np.random.default_rng(seed)
    layers = max(4, round(n**0.5 / 4))
    sizes = rng.multinomial(n, rng.dirichlet(np.full(layers, 4)))
    sizes = sizes[sizes > 0]
    first = np.concatenate([[0], np.cumsum(sizes)])
    rows, columns, sent = [np.full(sizes[0], n)], [np.arange(sizes[0])], [
        rng.uniform(5, 20, sizes[0])]
    for i in range(1, len(sizes)):
        (before, side_before), (after, side) = (_grid(sizes[k]) for k in (i - 1, i))
        far = np.abs(after[:, None] - before[None]).max(axis=2)
        to, source = np.nonzero(far < 1.5 / min(side, side_before))
        rows.append(source + first[i - 1])
        columns.append(to + first[i])
        sent.append(rng.uniform(10, 100, len(to)))
    pairs = (np.concatenate(sent), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=(n + 1, n + 1)))


def _grid(n: int) -> tuple[Array, int]:
    """Places (n, 2) on a square grid of side 1, and its points along a side."""
    side = int(np.ceil(np.sqrt(n)))
    return np.stack([np.arange(n) % side, np.arange(n) // side], axis=1) / side, side


if __name__ == "__main__":
    main()
