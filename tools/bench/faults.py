"""Dead links: how long finding ways around them takes, and what placement gains from knowing them.

    python tools/bench/faults.py [--chips N ...] [--share 0.05] [--seeds 1] [--ways]

On boards of Loihi 2 with that share of cores and of links dead, a random layered network on three
in four of the cores is placed three times: as if no link were dead, with the ways around dead links
in the cost of a placement, and on the same living cores with all links alive. Packets then take the
ways that a mapping takes. --ways finds ways without placing: between random tiles up to 60 columns
apart, and from one tile to all that are joined to it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse
from placement import layered

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Faults
from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import detours, joined_tiles, random_faults
from nmcompile.passes.place.around import around
from nmcompile.passes.place.arrange import Nodes, arrange
from nmcompile.passes.place.board import Board, board_of
from nmcompile.passes.place.start import first_cores, legal_cores
from nmcompile.simulator._traffic_kernels import spread
from nmcompile.target import Target, load_target, with_chips
from nmcompile.target.topology import board_width, tile_number, tile_position

CHIPS = (8, 32, 128)
PAIRS, APART = 200_000, 60  # of --ways


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """A placement's pairs of tiles, those with a detour and its most legs; of a packet hops and pJ.

    place_s, ways_s  seconds that placing took, with its table, and finding the ways
    """

    hops: float
    picojoules: float
    pairs: int
    bent: int
    legs: int
    place_s: float
    ways_s: float


def main() -> None:
    """Print a row of a table for each board and placement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", type=int, nargs="*", default=CHIPS)
    parser.add_argument("--share", type=float, default=0.05, help="of cores and of links")
    parser.add_argument("--seeds", type=int, default=1, help="of faults and networks")
    parser.add_argument("--ways", action="store_true", help="time ways, place nothing")
    options = parser.parse_args()
    if options.ways:
        print("| chips | ways | with a detour | of more than two legs | most legs | time |\n"
              + "|---" * 6 + "|")
        find(1, options.share, 0)  # compiles the kernels
        for chips in options.chips:
            print("\n".join(find(chips, options.share, 0)), flush=True)
        return
    compare(1, options.share, 0)
    print("| chips | placement | hops a packet | pJ a packet | pairs of tiles | with a detour "
          "| most legs | place | ways |\n" + "|---" * 9 + "|")
    for chips in options.chips:
        found = [compare(chips, options.share, seed) for seed in range(options.seeds)]
        for name in found[0]:
            print(row(chips, name, [each[name] for each in found]), flush=True)


def row(chips: int, name: str, found: list[Placed]) -> str:
    """The line of one way to place: means over the seeds, and the most legs of all."""
    mean = {field.name: np.mean([getattr(each, field.name) for each in found])
            for field in fields(Placed)}
    return (f"| {chips} | {name} | {mean['hops']:.3f} | {mean['picojoules']:.1f} | "
            f"{mean['pairs']:,.0f} | {mean['bent']:,.0f} | {max(each.legs for each in found)} | "
            f"{mean['place_s']:.1f} s | {mean['ways_s']:.2f} s |")


def find(chips: int, share: float, seed: int) -> list[str]:
    """The rows of one board where nothing is placed."""
    target = with_chips(load_target("loihi2"), chips)
    faults, rng = random_faults(target, share, share, seed), np.random.default_rng(seed)
    joined, width = joined_tiles(target, faults), board_width(target)
    tiles, rows = np.flatnonzero(joined), []
    first = rng.choice(tiles, PAIRS)
    column = np.clip(first % width + rng.integers(-APART, APART + 1, PAIRS), 0, width - 1)
    last = rng.integers(0, len(joined) // width, PAIRS) * width + column
    near = first[joined[last]], last[joined[last]]
    for name, pairs in ((f"up to {APART} columns", near),
                        ("from one tile to all", (np.full(len(tiles), tiles[0]), tiles))):
        begun = time.perf_counter()
        ways = detours(target, faults, *pairs)
        seconds = time.perf_counter() - begun
        legs = np.diff(ways.start) + 1
        count = len(np.unique(pairs[0] * len(joined) + pairs[1]))
        rows.append(f"| {chips:,} | {count:,} {name} | {len(legs):,} | "
                    f"{np.count_nonzero(legs > 2):,} | {legs.max(initial=1)} | {seconds:.3f} s |")
    return rows


def compare(chips: int, share: float, seed: int) -> dict[str, Placed]:
    """The placements of one network on one board, by name."""
    target = with_chips(load_target("loihi2"), chips)
    faults = random_faults(target, share, share, seed)
    packets = layered(target.n_cores * 3 // 4, seed)
    usable = Constraints(faults=faults).free(target)
    begun = time.perf_counter()
    board = board_of(target, usable)
    bent = around(board, target, faults)
    table_s = time.perf_counter() - begun
    knowing = placed(target, usable, packets, bent, faults)
    return {"ignores dead links": placed(target, usable, packets, board, faults),
            "knows ways around them": replace(knowing, place_s=knowing.place_s + table_s),
            "all links alive": placed(target, usable, packets, board, Faults())}


def placed(
    target: Target, usable: Array, packets: scipy.sparse.csr_array, board: Board, faults: Faults
) -> Placed:
    """Place `packets` on `board`, and send them around the dead links of `faults`."""
    n = packets.shape[0] - 1
    group, legal = legal_cores(target, usable, n, ())
    busy_s = float(packets.sum(axis=0).max()) * target.time_s.packet_in.value
    nodes = Nodes(packets=packets, group=group, legal=legal, busy_s=busy_s)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    begun = time.perf_counter()
    core = arrange(nodes, board, chip, first_cores(target, group, legal))
    place_s = time.perf_counter() - begun
    tile = np.append(tile_number(target, core), 0)
    sent = packets.tocoo()
    begun = time.perf_counter()
    ways = detours(target, faults, tile[sent.row], tile[sent.col])
    ways_s = time.perf_counter() - begun
    hops = np.zeros((n + 1, 3))
    spread(packets.indptr, packets.indices, packets.data, tile_position(target, core),
           (board_width(target), target.board.mesh_width.value),
           (ways.pair, ways.start, ways.via), (0.0, 0.0, 0.0),
           np.zeros(4 * board_width(target) * target.board.mesh_height.value), hops)
    energy, mean = target.energy_j, hops.sum(axis=0) / packets.sum()
    each = np.array([energy.hop_x.value, energy.hop_y.value, energy.hop_chip.value])
    return Placed(
        hops=float(mean.sum()), picojoules=float(mean @ each) * 1e12, bent=len(ways.pair),
        pairs=len(np.unique(tile[sent.row] * target.n_cores + tile[sent.col])),
        legs=int(np.diff(ways.start).max(initial=0)) + 1, place_s=place_s, ways_s=ways_s)


if __name__ == "__main__":
    main()
