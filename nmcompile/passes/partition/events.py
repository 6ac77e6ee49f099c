"""What boxes of neurons do in every step of recorded spikes, in the target's time and energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np

from nmcompile.backend import Backend
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import view
from nmcompile.mapping.capacity import LIMITS, sources_of_an_axon
from nmcompile.passes.partition.kept_once import KeptOnce
from nmcompile.passes.partition.loads import RowBits, Sums, load_of
from nmcompile.target import Target

Corners = tuple[Array, Array]  # low and high, (k, 3) each
MOST = 256  # steps that are looked at
MICRO = 1e6  # times are kept in microseconds, so that their eighth powers stay in range


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Boxes of one population and what they do.

    low, high   (k, 3) corners
    receiving, sending, fired  (k, steps) microseconds, and spikes
    packets     (k,) received in all steps
    needs       (k, limits) of a core, in the order of LIMITS and then of KeptOnce
    asked       (k, numbers) bool, as of KeptOnce
    """

    low: Array
    high: Array
    receiving: Array
    sending: Array
    fired: Array
    packets: Array
    needs: Array
    asked: Array

    def row(self, i: int) -> Part:
        """One of the boxes."""
        return Part(**{name: getattr(self, name)[i : i + 1] for name in self.__dataclass_fields__})


class Events:
    """Counts events of boxes of the populations of a network."""

    def __init__(
        self, network: Network, target: Target, backend: Backend, spikes: dict[str, Array]
    ) -> None:
        self._network, self._target, self._backend = network, target, backend
        shapes = {node.name: view(node.shape) for node in network.nodes}
        chosen = _typical(spikes)
        counts = {name: (spikes[name][chosen] != 0).reshape(-1, *shape)
                  for name, shape in shapes.items()}
        self.steps = len(chosen)
        self.kept = KeptOnce(network, target)
        self.sent = {name: Sums(values.astype(np.float32)) for name, values in counts.items()}
        inputs = {port.name for port in network.inputs}
        self._from_inputs = {k for k, p in enumerate(network.projections) if p.source in inputs}
        self.sharing = [sources_of_an_axon(p, target) for p in network.projections]
        self._loads = [load_of(network, p, counts[p.source], self.sent[p.source])
                       for p in network.projections]

    def fixed_energy(self) -> float:
        """Joules of a mean step that no mapping changes: updates, spikes and synaptic events."""
        cost, total = self._target.energies, 0.0
        for population in self._network.populations:
            low, high = np.zeros((1, 3), np.int64), np.array([view(population.shape)])
            fired = float(self.sent[population.name].over(low, high).mean())
            units = population.size * compartments_of(population.neuron)
            total += units * cost.neuron_update.value + fired * cost.spike_out.value
            for k in self.incoming(population.name):
                events = self._loads[k].received(low, high)[1]
                total += float(events.mean()) * cost.synaptic_event.value
        return total

    def incoming(self, name: str) -> list[int]:
        """Numbers of the projections into a population."""
        return [k for k, p in enumerate(self._network.projections) if p.target == name]

    def outgoing(self, name: str) -> list[int]:
        """Numbers of the projections out of a population."""
        return [k for k, p in enumerate(self._network.projections) if p.source == name]

    def part(self, population: int, low: Array, high: Array) -> Part:
        """What boxes do but for sending packets, which depends on how their targets are cut."""
        cost, entry = self._target.times, self._network.populations[population]
        units = (high - low).prod(axis=1) * compartments_of(entry.neuron)
        fired = self.sent[entry.name].over(low, high)
        sending = units[:, None] * cost.neuron_update.value + fired * cost.spike_out.value
        receiving, total = np.zeros((len(low), self.steps)), np.zeros(len(low))
        for k in self.incoming(entry.name):
            packets, events = self._loads[k].received(low, high)
            receiving += packets * cost.packet_in.value + events * cost.synaptic_event.value
            total += packets.sum(axis=1)
        asked = self.kept.of(population, low, high)
        needs = np.hstack([self._needs(entry, low, high), self.kept.counted(asked)])
        return Part(
            low=low, high=high, receiving=receiving * MICRO, sending=sending * MICRO,
            fired=fired, packets=total, needs=needs, asked=asked)

    def _needs(self, entry: Population, low: Array, high: Array) -> Array:
        """(k, 4) needs of boxes but for output axons, and for input axons that neurons share.

        How many of these there are depends on how their sources are cut: see `axons`.
        """
        neurons = (high - low).prod(axis=1)
        needs = np.zeros((len(low), len(LIMITS)))
        needs[:, 0] = neurons * compartments_of(entry.neuron)
        for k in self.incoming(entry.name):
            linear, row_bits = self._network.projections[k].map, self._row_bits(k)
            axons, bits = self._loads[k].stored(low, high, row_bits)
            if isinstance(linear, Conv) and self._target.core.shared_kernels.value:
                bits = row_bits((high - low)[:, 0] * prod(linear.weight.shape[1:]))
            needs[:, 1] += bits
            if self.sharing[k] == 1:
                needs[:, 2] += axons
            elif k in self._from_inputs:
                needs[:, 2] += -(-axons // self.sharing[k])
        return needs

    def _row_bits(self, projection: int) -> RowBits:
        entry = self._network.projections[projection]
        assert entry.format is not None
        indexed = not isinstance(entry.map, Dense) and not (
            isinstance(entry.map, Conv) and self._target.core.shared_kernels.value)
        return partial(self._backend.row_bits, entry.format, indexed=indexed)

    def packets(self, projection: int, sources: Corners, targets: Corners) -> Array:
        """(s, t, steps) packets from each of s boxes of sources to each of t boxes of targets."""
        low, high = self._meet(projection, sources, targets)
        name = self._network.projections[projection].source
        found = self.sent[name].over(low.reshape(-1, 3), high.reshape(-1, 3))
        return found.reshape(*low.shape[:2], self.steps)

    def axons(self, projection: int, sources: Corners, targets: Corners) -> Array:
        """(s, t) axons from each box of sources to each box of targets."""
        low, high = self._meet(projection, sources, targets)
        return -(-(high - low).prod(axis=2) // self.sharing[projection])

    def _meet(self, projection: int, sources: Corners, targets: Corners) -> Corners:
        """(s, t, 3) corners of what each target reads of each source."""
        low, high = self._loads[projection].field(*targets)
        low = np.maximum(low, sources[0][:, None])
        high = np.minimum(high, sources[1][:, None])
        return np.minimum(low, high), high


def _typical(spikes: dict[str, Array]) -> Array:
    """Numbers of up to MOST steps, evenly spaced among all in the order of their spikes."""
    total = sum(np.count_nonzero(values.reshape(len(values), -1), axis=1)
                for values in spikes.values())
    order = np.argsort(total, kind="stable")
    n = min(MOST, len(order))
    return np.sort(order[((np.arange(n) + 0.5) * len(order) / n).astype(np.int64)])
