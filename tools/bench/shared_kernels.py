"""Time and memory of simulating ten million neurons with a billion synapses of shared kernels.

    python tools/bench/shared_kernels.py [NEURONS]

Eight convolutions of 11 channels and 3 x 3, 99 synapses a neuron, mapped to as many chips of
Loihi 2 as they need. Says what each step takes with the fast timing, and the process's peak of
memory behind each stage.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from large_networks import Builder

from nmcompile.ir import Network
from nmcompile.mapper import cut, lay
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.target import load_target, with_chips

CHANNELS, LAYERS, STEPS, RATE = 11, 8, 4, 0.05


class Lively(Builder):
    """Layers whose weights lean to the positive side, so that spikes reach the last."""

    def weights(self, *shape: int) -> np.ndarray:
        """Random weights of 8 bits."""
        return self.rng.integers(-40, 101, shape, np.int8)


def network(neurons: int) -> Network:
    """The network."""
    side = round((neurons / LAYERS / CHANNELS) ** 0.5)
    layers = Lively((CHANNELS, side, side), 0)
    for _ in range(LAYERS):
        layers.conv(CHANNELS)
    return layers.build()


def peak() -> str:
    """The process's peak of memory so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"


def main() -> None:
    """Map, simulate, and print figures."""
    made = network(int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000)
    machine, chip = load_target("loihi2"), backend("loihi")
    rates = np.full(sum(node.size for node in made.nodes), RATE, np.float32)
    found = cut(made, with_chips(machine, 1152), chip, rates)
    chips = -(-len(found.slices) // machine.cores_per_chip)
    program, _ = lay(found, with_chips(machine, chips), chip, rates)
    synapses = sum(int(a.synapses.sum(dtype=np.int64)) for a in program.mapping.axons)
    print(f"{sum(p.size for p in made.populations):,} neurons, {synapses:,} synapses, "
          f"{len(found.slices):,} cores; mapped: {peak()}", flush=True)
    shape = (1, STEPS, *made.inputs[0].shape)
    sent = (np.random.default_rng(0).random(shape) < RATE).astype(np.int32)
    begun = time.perf_counter()
    run = simulate(program, {"input": sent})
    seconds = time.perf_counter() - begun
    print(f"{run.frames} steps, {int(run.counts.spikes.sum()):,} spikes, "
          f"{int(run.counts.events.sum()):,} synaptic events: {seconds:.1f} s, "
          f"{seconds / run.frames:.2f} s a step; {peak()}")


if __name__ == "__main__":
    main()
