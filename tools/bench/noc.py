"""Latency against load on the mesh, beside points that another simulator has measured.

    python tools/bench/noc.py POINTS.csv [--cycles 20000] [--packets 100000]
        [--warm-up 3000] [--seed 1]

POINTS.csv has the columns vc_buf_size, traffic (uniform, transpose), inj_rate_flits_node_cycle and
avg_pkt_latency, of an 8x8 mesh with the router A and Bernoulli injection; uniform traffic includes
packets to oneself. A point whose latency is above 100 cycles is saturated. Prints each point below,
and the rate at which ours saturates. Exits with 1 where a point up to 90 % of saturation is more
than 2 % off, or saturation more than 3 % outside of the rates between which theirs lies.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from itertools import groupby
from pathlib import Path

import numpy as np

from nmcompile.simulator.noc import Mesh, Router, replay

WIDTH = 8
SATURATED = 100.0  # cycles
Point = tuple[float, float]  # rate, latency


def packets(traffic: str, rate: float, cycles: int, seed: int) -> tuple[np.ndarray, ...]:
    """Source, target and creation of packets that each node sends with `rate` in each cycle."""
    random = np.random.default_rng(seed)
    created, source = np.nonzero(random.random((cycles, WIDTH * WIDTH)) < rate)
    if traffic == "uniform":
        return source, random.integers(0, WIDTH * WIDTH, len(source)), created
    return source, (source % WIDTH) * WIDTH + source // WIDTH, created


def latency(traffic: str, rate: float, buffer: int, asked: argparse.Namespace) -> float:
    """Mean cycles from creation to arrival of the packets that are created after the warm-up.

    At least `asked.cycles`, and so many that at least `asked.packets` are expected.
    """
    cycles = max(asked.cycles, int(asked.packets / (rate * WIDTH * WIDTH)))
    source, target, created = packets(traffic, rate, cycles, asked.seed)
    found = replay(source, target, created, mesh=Mesh(width=WIDTH, height=WIDTH),
                   router=Router(buffer=buffer))
    measured = created >= asked.warm_up
    return float((found.arrived - created)[measured].mean())


def saturation(traffic: str, low: float, high: float, buffer: int,
               asked: argparse.Namespace) -> float:
    """The rate, to 1/64 of the range given, from which on the latency is above SATURATED."""
    for _ in range(6):
        rate = (low + high) / 2
        if latency(traffic, rate, buffer, asked) > SATURATED:
            high = rate
        else:
            low = rate
    return (low + high) / 2


def compare(traffic: str, points: list[Point], buffer: int, asked: argparse.Namespace) -> bool:
    """Print the points of one traffic beside ours; whether all are near enough."""
    last = max(rate for rate, theirs in points if theirs <= SATURATED)
    first = min(rate for rate, theirs in points if theirs > SATURATED)
    found = saturation(traffic, 0.8 * last, 1.2 * first, buffer, asked)
    near = 0.97 * last <= found <= 1.03 * first
    print(f"{traffic}: saturated from {found:.4f} on, theirs between {last:g} and {first:g}")
    for rate, theirs in points:
        if theirs > SATURATED:
            continue
        ours = latency(traffic, rate, buffer, asked)
        error = ours / theirs - 1
        near &= rate > 0.9 * found or abs(error) <= 0.02
        print(f"{traffic} {rate:6g}  ours {ours:8.3f}  theirs {theirs:8.3f}  {100 * error:+.2f} %",
              flush=True)
    return near


def main() -> None:
    """Read the points, compare them, say how fast the mesh was simulated."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("points", type=Path)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--warm-up", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with asked.points.open(encoding="utf-8") as file:
        rows = [(row["traffic"], int(row["vc_buf_size"]), float(row["inj_rate_flits_node_cycle"]),
                 float(row["avg_pkt_latency"])) for row in csv.DictReader(file)]
    near = True
    for (traffic, buffer), group in groupby(rows, key=lambda row: row[:2]):
        near &= compare(traffic, [row[2:] for row in group], buffer, asked)
    source, target, created = packets("uniform", 0.3, asked.cycles, asked.seed)
    begin = time.process_time()
    found = replay(source, target, created, mesh=Mesh(width=WIDTH, height=WIDTH), router=Router())
    seconds = time.process_time() - begin
    print(f"uniform 0.3: {len(source) / seconds:,.0f} packets/s, "
          f"{found.router_cycles / seconds:,.0f} router-cycles/s of one core")
    sys.exit(0 if near else 1)


if __name__ == "__main__":
    main()
