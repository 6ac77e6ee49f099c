"""How long mapping takes, and how much memory, as networks grow.

    python tools/bench/mapping_scale.py [NAME ...]

Each network is built and mapped in a process of its own, on as many chips of Loihi 2 as it needs.
Without names all are run and the table goes into docs/mapping.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from large_networks import irregular, pilotnet, structured, vgg16

from nmcompile.ir import Network
from nmcompile.mapper import cut, lay, map_network
from nmcompile.passes.partition import split_fan_in
from nmcompile.registry import backend
from nmcompile.target import load_target, with_chips

DOCUMENT = Path(__file__).parents[2] / "docs" / "mapping.md"
BEGIN, END = "<!-- scale: begin -->\n", "<!-- scale: end -->\n"
MOST_CHIPS = 1152  # of Hala Point, the largest machine of Loihi 2: arXiv 2505.06417, 2410.10870
NETWORKS: dict[str, Callable[[], Network]] = {
    "PilotNet": pilotnet,
    "VGG-16": vgg16,
    "structured 125k": lambda: structured(125_000),
    "structured 250k": lambda: structured(250_000),
    "structured 500k": lambda: structured(500_000),
    "structured 1M": lambda: structured(1_000_000),
    "irregular 125k": lambda: irregular(125_000),
    "irregular 250k": lambda: irregular(250_000),
    "irregular 500k": lambda: irregular(500_000),
    "irregular 1M": lambda: irregular(1_000_000),
}
HEAD = ("| network | neurons | synapses | cores | chips | cut | route, place | memory |\n"
        + "|---" * 8 + "|\n")


def measure(name: str) -> dict[str, float]:
    """Map one network; seconds and those of processors, cores, and the process's peak of memory."""
    machine = with_chips(load_target("loihi2"), MOST_CHIPS)
    chip = backend(machine.family)
    small = irregular(900)
    map_network(small, machine, chip, _rates(small))  # compiles, or loads what was
    network = NETWORKS[name]()
    built = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, worked = time.perf_counter(), time.process_time()
    latency = {node.name: getattr(node, "start", 0) for node in network.nodes}
    network = split_fan_in(network, latency, machine, chip).network
    rates = _rates(network)
    found = cut(network, machine, chip, rates)
    cut_s, cut_work = time.perf_counter() - begun, time.process_time() - worked
    chips = -(-len(found.slices) // machine.cores_per_chip)
    begun, worked = time.perf_counter(), time.process_time()
    program, _ = lay(found, with_chips(machine, chips), chip, rates)
    return {
        "neurons": sum(p.size for p in network.populations),
        "synapses": sum(int(a.synapses.sum(dtype=np.int64)) for a in program.mapping.axons),
        "cores": len(np.unique(program.mapping.slices.core)), "chips": chips, "cut_s": cut_s,
        "cut_work": cut_work, "lay_s": time.perf_counter() - begun,
        "lay_work": time.process_time() - worked, "built_gb": built / 1e6,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def _rates(network: Network) -> np.ndarray:
    return np.full(sum(node.size for node in network.nodes), 0.05, np.float32)


def row(name: str, told: dict[str, float]) -> str:
    """A line of the table."""
    return (f"| {name} | {told['neurons']:,} | {told['synapses']:,} | {told['cores']:,} | "
            f"{told['chips']:,} | {told['cut_s']:.1f} s ({told['cut_work']:.1f} s) | "
            f"{told['lay_s']:.1f} s ({told['lay_work']:.1f} s) | "
            f"{told['peak_gb']:.2f} GB, {told['built_gb']:.2f} of it the network |\n")


def main() -> None:
    """Measure the networks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--one", choices=NETWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    lines = []
    for name in options.names or NETWORKS:
        told = json.loads(subprocess.run([sys.executable, __file__, "--one", name], check=True,
                                         stdout=subprocess.PIPE, text=True).stdout)
        lines.append(row(name, told))
        print(lines[-1], end="", flush=True)
    if not options.names:
        before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
        machine = f"{platform.machine()}, {os.cpu_count()} cores; in brackets the time of all"
        table = "".join((HEAD, *lines, f"\n{machine} together.\n"))
        DOCUMENT.write_text(before + BEGIN + table + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()
