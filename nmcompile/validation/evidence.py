"""What is known of some samples on a device, and what it sent into a population."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nmcompile.errors import NetworkError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.accumulate import by_sign, in_floats
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

Records = dict[str, dict[str, Array]]  # population -> variable -> (samples, steps, n)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What some samples did on a device, in the network's own time.

    sent     input or population -> (samples, steps, n) what it sent
    assumed  populations of which the device does not tell that: these are the reference's
    seen     what the device told
    """

    program: Program
    sent: dict[str, Array]
    assumed: frozenset[str]
    seen: Records

    @property
    def network(self) -> Network:
        """The network that was compiled."""
        return self.program.network


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A projection, or the part of a split one that feeds one current, with what came through.

    number  of the whole projection in the network
    delay   steps between a spike and its arrival in the network's own time
    sent    (samples, steps, sources) payloads of the sources that the map takes
    """

    projection: Projection
    number: int
    delay: int
    sent: Array

    @cached_property
    def arrived(self) -> Array:
        """(samples, steps, sources) by the step of arrival; 0 where that is not recorded."""
        moved = np.zeros_like(self.sent)
        begin, kept = max(0, self.delay), max(0, self.sent.shape[1] - abs(self.delay))
        left = begin - self.delay
        moved[:, begin : begin + kept] = self.sent[:, left : left + kept]
        return moved

    @cached_property
    def raw(self) -> Array:
        """(samples, steps, targets) float64 sums of the weights that arrive, before exponents."""
        arrived = self.arrived
        samples, steps, n = arrived.shape
        flat = arrived.reshape(samples * steps, n).astype(np.float64)
        sums = np.rint(in_floats(self.projection).map.apply(flat))
        return sums.reshape(samples, steps, -1)

    def name_of(self, source: int) -> int:
        """Number of the neuron that is source number `source` of the map."""
        return source + (self.projection.sources or (0, 0))[0]


def links_of(evidence: Evidence, population: Population) -> tuple[Link, ...]:
    """What leads into `population`, in the order in which spikes count there.

    Sources of which nobody knows what they sent are left out (see `unknown_sources`).
    """
    network, lag = evidence.network, evidence.network.lags
    number = {id(p): i for i, p in enumerate(network.projections)}
    links = []
    for projection in network.arriving(population.name):
        if projection.source not in evidence.sent:
            continue
        sent = evidence.sent[projection.source]
        taken = sent if projection.sources is None else sent[:, :, slice(*projection.sources)]
        delay = projection.delay + lag[projection.source] - lag[projection.target]
        links += [Link(projection=part, number=number[id(projection)], delay=delay, sent=taken)
                  for part in by_sign(projection)]
    return tuple(links)


def unknown_sources(evidence: Evidence, population: Population) -> tuple[str, ...]:
    """What leads into `population` and is told neither by the device nor by the reference."""
    sources = {p.source for p in evidence.network.arriving(population.name)}
    return tuple(sorted(sources - set(evidence.sent)))


def moved(links: tuple[Link, ...], number: int, steps: int) -> tuple[Link, ...]:
    """`links` with projection number `number` slower by `steps`."""
    return tuple(replace(link, delay=link.delay + steps) if link.number == number else link
                 for link in links)


def silenced(
    links: tuple[Link, ...], number: int, event: tuple[int, int, int], times: int
) -> tuple[Link, ...]:
    """`links` in which a spike of projection `number` comes `times` times.

    event  its sample, the step in which it would arrive, its source
    """
    sample, step, source = event

    def without(link: Link) -> Link:
        sent = link.sent.copy()
        sent[sample, step - link.delay, source] *= times
        return replace(link, sent=sent)

    return tuple(without(link) if link.number == number else link for link in links)


def synapses_into(projection: Projection, column: int) -> tuple[Array, Array]:
    """Sources of the map that have a synapse into `column` of it, and the weight of each.

    Weights are numbers into `map.weights()`; a zero in a dense matrix is a synapse.
    """
    linear = projection.map
    if isinstance(linear, Dense):
        sources = np.arange(linear.weight.shape[1])
        return sources, column * linear.weight.shape[1] + sources
    if isinstance(linear, Sparse):
        number = np.flatnonzero(linear.target == column)
        return np.searchsorted(linear.start, number, "right") - 1, number
    if isinstance(linear, Conv):
        return _field(linear, column)
    raise NetworkError(projection.name, f"a {linear.kind} map has no list of synapses")


def _field(conv: Conv, column: int) -> tuple[Array, Array]:
    """What one place of a convolution sees."""
    channel, y, x = np.unravel_index(column, conv.out_shape)
    _, height, width = conv.in_shape
    _, per_group, kernel_y, kernel_x = conv.weight.shape
    group = int(channel) // (conv.weight.shape[0] // conv.groups)
    c, dy, dx = np.indices((per_group, kernel_y, kernel_x)).reshape(3, -1)
    rows = int(y) * conv.stride[0] - conv.padding[0] + dy * conv.dilation[0]
    columns = int(x) * conv.stride[1] - conv.padding[1] + dx * conv.dilation[1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    sources = ((group * per_group + c) * height + rows) * width + columns
    numbers = int(channel) * per_group * kernel_y * kernel_x + np.arange(len(c))
    return sources[inside], numbers[inside]
