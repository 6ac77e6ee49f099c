"""Activations as sigma-delta neurons, which tell each other what changes.

A neuron adds up the changes that arrive and sends that of its activation once it exceeds a
threshold, so that what its readers know is never further off than that (O'Connor and Welling 2016,
arXiv 1611.02024). One step is one pass of the artificial network: a stream of similar values costs
the messages of what differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.errors import ConversionError
from nmcompile.ir import Network, Output, Population, Projection, Trace, run, verify
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LI, Activation, SigmaDelta
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.convert.rate import require_convertible

TOLERANCES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.0)  # tried from the largest
KEPT = 0.995  # share of decisions that has to stay
QUANTILE = 0.999  # of what a layer sends; its tolerance is a share of that
ELEMENTS = 50_000_000  # values and messages that a trial keeps in memory


@dataclass(frozen=True, kw_only=True)
class ChangesTrial:
    """One tolerance: share of decisions that stay, of values that are sent, and error of outputs.

    error  root mean square difference of the outputs over their root mean square
    """

    tolerance: float
    decisions_equal: float
    sent: float
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Changes:
    """The sigma-delta network, its trial, and the decisions before and after."""

    network: Network
    trial: ChangesTrial
    before: Array
    after: Array


def convert_to_changes(
    network: Network, inputs: dict[str, Array], tolerance: float | None = None
) -> Changes:
    """`network`, whose neurons are activations, as sigma-delta neurons.

    inputs     name -> (samples, 1, *shape) values; they are run as one stream, a step each
    tolerance  smallest change that is sent, as a share of what a layer sends at most; default: the
               largest of `TOLERANCES` that keeps 99.5 % of the decisions
    Raises NmcError for activations other than ReLU and for other neurons beside them.
    """
    require_convertible(network)
    few = {name: values[: _samples(network)] for name, values in inputs.items()}
    stream = {name: values.swapaxes(0, 1) for name, values in few.items()}
    activity = run(network, few)
    sizes = _sizes(network, activity, few)
    for share in TOLERANCES if tolerance is None else (tolerance,):
        changed = verify(_sigma_delta(network, {name: share * s for name, s in sizes.items()}))
        found = _trial(changed, network, activity, run(changed, stream), share)
        if found.trial.decisions_equal >= KEPT:
            break
    note = f"converted from activations to changes of {share:g} of what a layer sends, or more"
    return replace(found, network=replace(changed, notes=(*changed.notes, note)))


def _samples(network: Network) -> int:
    return max(1, ELEMENTS // (8 * sum(prod(node.shape) for node in network.nodes)))


def _sizes(network: Network, activity: Trace, inputs: dict[str, Array]) -> dict[str, float]:
    """What each input and each activation sends, at most but for a few."""
    sent = {**inputs, **{p.name: activity.spikes(p.name) for p in network.populations
                         if isinstance(p.neuron, Activation)}}
    return {name: float(np.quantile(np.abs(values), QUANTILE)) for name, values in sent.items()}


def _sigma_delta(network: Network, thresholds: dict[str, float]) -> Network:
    """`network` with an encoder behind each input, and sums for its readouts."""
    encoders = {port.name: f"{port.name}.changes" for port in network.inputs}
    populations = [
        Population(name=encoders[port.name], shape=port.shape, neuron=SigmaDelta(
            threshold=np.full((), thresholds[port.name], np.float32), rectified=False,
            accumulates=False))
        for port in network.inputs
    ]
    populations += [_changed(p, thresholds.get(p.name)) for p in network.populations]
    ones = np.ones((), np.float32)
    projections = [Projection(source=port.name, target=encoders[port.name],
                              map=Scale(factor=ones, in_shape=port.shape))
                   for port in network.inputs]
    projections += [replace(p, source=encoders.get(p.source, p.source))
                    for p in network.projections]
    outputs = tuple(Output(name=o.name, population=o.population, variable="v")
                    for o in network.outputs)
    return replace(network, populations=tuple(populations), projections=tuple(projections),
                   outputs=outputs, steps=None, static=False)


def _changed(population: Population, threshold: float | None) -> Population:
    nothing, bias = np.zeros((), np.float32), np.asarray(population.bias, np.float32)
    if threshold is None:
        started = np.broadcast_to(bias, population.shape).copy() if np.any(bias) else nothing
        return replace(population, bias=nothing,
                       neuron=LI(decay=np.ones((), np.float32), v_init=started))
    neuron = population.neuron
    assert isinstance(neuron, Activation)
    unbounded = np.all(np.isinf(neuron.high)) and not np.any(neuron.step_size)
    rectified = not np.any(neuron.low)
    if not unbounded or not (rectified or np.all(np.isinf(neuron.low))):
        raise ConversionError(
            population.name, "a bounded or quantised activation is no sigma-delta "
            "neuron", "Use ReLU without an upper bound, or convert to rates.")
    return replace(population, bias=nothing, neuron=SigmaDelta(
        threshold=np.full((), threshold, np.float32), offset=bias, rectified=rectified))


def _trial(
    network: Network, source: Network, activity: Trace, found: Trace, tolerance: float
) -> Changes:
    port, before = network.outputs[0], source.outputs[0]
    outputs = found.records[port.population]["v"][0]
    wanted = activity.records[before.population][before.variable][:, 0]
    decided = [values.reshape(len(values), -1).argmax(axis=1) for values in (wanted, outputs)]
    size = float(np.sqrt(np.square(wanted).mean())) or 1.0
    messages = [found.spikes(p.name) for p in network.populations if p.neuron.graded]
    trial = ChangesTrial(
        tolerance=tolerance, decisions_equal=float((decided[0] == decided[1]).mean()),
        sent=float(sum(map(np.count_nonzero, messages)) / sum(m.size for m in messages)),
        error=float(np.sqrt(np.square(outputs - wanted).mean())) / size)
    return Changes(network=network, trial=trial, before=decided[0], after=decided[1])
