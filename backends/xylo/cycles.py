"""Cycles of a step on a Xylo, by the formula that its maker publishes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.sparse
from nmcompile_backends.xylo.arithmetic import NO_ALIAS, XyloNeuron
from nmcompile_backends.xylo.topology import hidden_populations, output_names

from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize.conv_algebra import integer_matrix
from nmcompile.target.schema import CycleFormula


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What the formula takes of a network.

    channels, hidden, outputs  lines of all inputs, hidden neurons, output neurons
    fed, listened              hidden neurons that an input feeds, and that an output listens to
    fan_out                    recurrent weights of a hidden neuron, on average
    copied, copying            hidden neurons that get the spikes of an alias, and that have one, as
                               a share of all
    """

    channels: int
    hidden: int
    outputs: int
    fed: int
    listened: int
    fan_out: float
    copied: float
    copying: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycles:
    """Cycles of steps by what they are spent on; shapes as those of the shares that spike.

    inputs   visits of channels, and their events
    hidden   currents and membranes of hidden neurons, their recurrent spikes, and their spiking
    outputs  spikes that outputs listen to, and output neurons
    """

    inputs: Array
    hidden: Array
    outputs: Array

    @property
    def total(self) -> Array:
        """All of them."""
        return self.inputs + self.hidden + self.outputs


def counted(network: Network, formula: CycleFormula) -> Counted:
    """What the formula takes of `network`, in the chip's integers.

    Of two synaptic currents the weights of the first count, as in Rockpool.
    """
    outputs = output_names(network)
    hidden = hidden_populations(network, outputs)
    ports = tuple(port.name for port in network.inputs)
    names = tuple(p.name for p in hidden)
    n = sum(p.size for p in hidden)
    if formula.all_hidden.value:
        fed = listened = n
    else:
        fed = int(np.count_nonzero(_links(network, ports, names).sum(axis=0)))
        listened = int(np.count_nonzero(_links(network, names, outputs).sum(axis=1)))
    alias = np.concatenate([_aliases(p) for p in hidden])
    copies = np.count_nonzero(alias != NO_ALIAS)
    return Counted(
        channels=sum(port.size for port in network.inputs), hidden=n, fed=fed,
        outputs=sum(network.population(name).size for name in outputs), listened=listened,
        fan_out=_links(network, names, names).nnz / n, copied=copies / n, copying=copies / n)


def cycles(formula: CycleFormula, of: Counted, channels: Array, neurons: Array) -> Cycles:
    """Master clock cycles of steps in which these shares of channels and of hidden neurons spike.

    channels, neurons  0 to 1, (steps,) each; several spikes of one in a step count once

    Rockpool 3.1, `power_cycles_model.cycles_model` of syns61201 (Audio 2) and syns63300 (Audio 3
    and IMU), which has its figures for the mean over a run. It is linear in both shares, so that
    the mean of steps is the formula of the mean, but for networks with aliases: there it takes the
    larger of two shares, and the mean of steps is that of the means or more.
    """
    cost = formula
    visit = channels * of.fed * cost.input_weight.value + cost.input_channel.value
    current = (of.fan_out * cost.recurrent_weight.value * neurons + cost.hidden_current.value)
    output = neurons * (cost.output_visit.value + of.outputs * cost.output_weight.value)
    both = of.copied * of.copying
    firing, copy, sends, copies = cost.spike.value
    spiking = (
        np.maximum(neurons, both) * firing
        + np.maximum(neurons * of.copied, both) * copy
        + neurons * sends
        + np.maximum(neurons, of.copied) * of.copying * copies)
    return Cycles(
        inputs=of.channels * visit,
        hidden=of.hidden * (current + cost.hidden_fixed.value + spiking),
        outputs=of.listened * output + of.outputs * cost.output_fixed.value)


def needed_clock_hz(formula: CycleFormula, of: Counted, step_s: float) -> float:
    """The clock that takes a step of `step_s` seconds if everything spikes, with its margin.

    Rockpool 3.1, `power_cycles_model.est_clock_freq`.
    """
    one = np.ones(1)
    most = float(cycles(formula, of, one, one).total[0])
    return most * (1 + formula.margin.value) / step_s


def _links(network: Network, sources: tuple[str, ...], targets: tuple[str, ...]
           ) -> scipy.sparse.csr_array:
    """(sources, targets) 1 where a neuron or line has a weight to a neuron."""
    rows, columns = _offsets(network, sources), _offsets(network, targets)
    shape = tuple(sum(_size(network, name) for name in names) for names in (sources, targets))
    total = scipy.sparse.csr_array(shape, dtype=np.int64)
    for link in network.projections:
        if link.source in rows and link.target in columns:
            size = network.population(link.target).size
            weights = integer_matrix(link.map)[:, :size].tocoo()
            places = (weights.row + rows[link.source], weights.col + columns[link.target])
            total = total + scipy.sparse.coo_array(
                (weights.data.astype(np.int64), places), shape=shape).tocsr()
    total.eliminate_zeros()
    total.data[:] = 1
    return total


def _size(network: Network, name: str) -> int:
    return prod(network.shape_of(name))


def _offsets(network: Network, names: tuple[str, ...]) -> dict[str, int]:
    ends = np.cumsum([0, *(_size(network, name) for name in names)])
    return dict(zip(names, ends[:-1].tolist(), strict=True))


def _aliases(population: Population) -> Array:
    assert isinstance(population.neuron, XyloNeuron)
    return np.broadcast_to(population.neuron.alias, population.shape).reshape(-1)
