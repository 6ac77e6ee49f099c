"""SpiNNaker's ring buffers: spikes become sums of weights for the steps in which they arrive."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from nmcompile_backends.spinnaker.arithmetic import RING_LIMIT

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

INDEX_BITS = 14  # slot, type and neuron (spynnaker utilities/constants.py MAX_RING_BUFFER_BITS)
TYPE_BITS = 1  # excitatory or inhibitory


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapses:
    """Rows of synapses, one for each source.

    start   (n_sources + 1,) int64; synapses of source i are start[i]:start[i + 1]
    kind    (s,) uint8, 0 excitatory and 1 inhibitory
    target  (s,) int32
    delay   (s,) uint16, 1..slots steps; longer ones are split by `staged`
    weight  (s,) uint16, magnitudes
    """

    start: Array
    kind: Array
    target: Array
    delay: Array
    weight: Array

    def verify(self, name: str, ring: Array) -> None:
        """Raise NmcError where a synapse has no place in `ring`."""
        slots, kinds, neurons = ring.shape
        for value, low, high, what in (
            (self.delay, 1, slots, "delays"),
            (self.kind, 0, kinds - 1, "synapse types"),
            (self.target, 0, neurons - 1, "targets"),
        ):
            if value.size and not low <= value.min() <= value.max() <= high:
                raise RegisterError(name, f"{what} span {value.min()} to {value.max()}, "
                                    f"the ring buffer takes {low} to {high}")


def slots(neurons_per_core: int, longest_delay: int) -> int:
    """Steps that a core's ring buffer reaches ahead: a power of two.

    As many as the longest delay needs, at most what `INDEX_BITS` leave (population_vertex.py,
    `max_delay_steps_incoming`): 32 at 256 neurons a core.
    """
    room = INDEX_BITS - TYPE_BITS - bits_for(neurons_per_core)
    return int(2 ** min(bits_for(longest_delay), room))


def slots_of(program: Program) -> Array:
    """(slices,) int64 steps that the ring buffer of each slice's core reaches ahead."""
    network, slices = program.network, program.mapping.slices
    longest = [max((p.delay for p in network.incoming(population.name)), default=1)
               for population in network.populations]
    return np.array([slots(int(n), longest[population]) for n, population in zip(
        slices.sizes(), slices.population.tolist(), strict=True)], np.int64)


def staged(delay: Array, n_slots: int) -> tuple[Array, Array]:
    """Delay extension stages, and the rest of 1..n_slots steps that is left to the ring buffer.

    A stage sends the spike again n_slots steps later (synapse_io.py, `get_synapses`).
    """
    stage = (np.asarray(delay) - 1) // n_slots
    return stage, np.asarray(delay) - n_slots * stage


def empty_ring(n_slots: int, n_neurons: int) -> Array:
    """(n_slots, 2, n_neurons) uint16: sums for each step to come, by synapse type."""
    return np.zeros((n_slots, 2, n_neurons), np.uint16)


def deliver(ring: Array, step: int, spiking: Array, synapses: Synapses) -> int:
    """Add the rows of the sources `spiking` in `step` to `ring`; how often an entry saturated.

    An entry that passes 0xFFFF stays there (synapses.c, `process_fixed_synapses`). A delay of d
    arrives in step + d.
    """
    from nmcompile_backends.spinnaker._arithmetic_kernels import deliver_rows

    return int(deliver_rows(ring, step, spiking, synapses.start, synapses.kind, synapses.target,
                            synapses.delay, synapses.weight))


def deliver_plainly(ring: Array, step: int, spiking: Array, synapses: Synapses) -> int:
    """`deliver` in readable Python: its definition."""
    saturated = 0
    for source in spiking:
        for row in range(synapses.start[source], synapses.start[source + 1]):
            slot = (step + int(synapses.delay[row])) % len(ring)
            place = (slot, synapses.kind[row], synapses.target[row])
            total = int(ring[place]) + int(synapses.weight[row])
            saturated += total > RING_LIMIT
            ring[place] = min(total, RING_LIMIT)
    return saturated


def take(ring: Array, step: int) -> Array:
    """(2, n_neurons) what arrives in `step`; its slot is empty afterwards."""
    slot = step % len(ring)
    arriving = ring[slot].copy()
    ring[slot] = 0
    return arriving


def bits_for(n: int) -> int:
    """Bits for `n` values; 1 for a single one (utility_calls.py `get_n_bits`)."""
    return max(1, ceil(log2(n)))
