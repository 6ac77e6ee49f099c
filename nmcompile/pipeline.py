"""From a traced model to a checked Program: the passes in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import numpy as np

from nmcompile.checks import Check, compare, describe, require_decisions, require_same
from nmcompile.encode import rate_spikes
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Network, decisions, run, run_aligned, verify
from nmcompile.ir.neurons.base import Array
from nmcompile.lowering import Legalisation, lower
from nmcompile.mapper import map_network
from nmcompile.mapping import Program, rates_by_name
from nmcompile.mapping.capacity import Demand
from nmcompile.mapping.constraints import read_constraints
from nmcompile.passes.convert import Conversion, convert, convert_to_changes, is_artificial
from nmcompile.passes.quantize import (
    Calibration,
    LayerError,
    Precision,
    choose_widths,
    payloads,
    quantize,
)
from nmcompile.registry import backend as backend_of
from nmcompile.simulator import simulate
from nmcompile.target import Target

RANDOM_SAMPLES, RANDOM_STEPS = 4, 32  # of the check of a new mapping
ELEMENTS = 100_000_000  # recorded numbers that a check may keep in memory
Progress = Callable[[str], None]
Figures = dict[str, float | int | str | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Labelled or unlabelled data in the network's own form.

    inputs  name -> (samples, steps, *shape) real values
    labels  (samples,) or None
    """

    inputs: dict[str, Array]
    labels: Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program with the figures of its making."""

    program: Program
    checks: tuple[Check, ...]
    layer_errors: tuple[LayerError, ...]
    demand: Demand
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """A network in a chip's integers, with what it was compared with.

    real, network   before and after, both as the chip runs them
    seen            the calibration data, and what `real` does on them
    sample, labels  what the model was traced on; of the calibration data
    """

    real: Network
    network: Network
    seen: Calibration
    sample: Data
    labels: Array | None
    checks: tuple[Check, ...]
    errors: tuple[LayerError, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may choose.

    conversion  how a network of activations becomes a spiking one
    precision   how wide weights are
    legalisation  what may be changed where the chip's formats cannot hold the network
    seed        of the rate encoding of values where the chip's spikes are binary
    constraints  file that says where layers may go: see `nmcompile.mapping.constraints`
    """

    conversion: Conversion = field(default_factory=Conversion)
    precision: Precision = field(default_factory=Precision)
    legalisation: Legalisation = field(default_factory=Legalisation)
    seed: int = 0
    constraints: Path | None = None


def compile_traced(
    traced: Traced,
    target: Target,
    calibration: Data | None = None,
    options: Options | None = None,
    progress: Progress = lambda stage: None,
) -> Compiled:
    """Lower, quantize, partition, route and place `traced` for `target`, checking every arrow.

    calibration  data whose statistics choose the scales, and whose labels measure the accuracy;
                 default: the sample that the model was traced on
    """
    stage = quantize_traced(traced, target, calibration, options, progress)
    progress("map")
    program, needs = map_quantized(stage, target, (options or Options()).constraints)
    checks = (*stage.checks, _check_map(program, stage.sample))
    return Compiled(program=program, checks=checks, layer_errors=stage.errors, demand=needs,
                    notes=stage.notes)


def quantize_traced(
    traced: Traced,
    target: Target,
    calibration: Data | None = None,
    options: Options | None = None,
    progress: Progress = lambda stage: None,
) -> Quantized:
    """`traced` in the integers of `target`; parameters as of `compile_traced`."""
    options = options or Options()
    checks, source, sample, data, notes = _spiking(traced, target, calibration, options, progress)
    progress("lower")
    backend = backend_of(target.family)
    lowered = lower(source, target, backend, sample.inputs, options.legalisation)
    network, latency = lowered.network, lowered.latency
    checks += lowered.checks
    progress("quantize")
    few = _few(network, data.inputs)
    trace = run_aligned(network, latency, few)
    seen = Calibration(inputs=few, trace=trace, latency=latency)
    chosen = choose_widths(options.precision, network, target, backend, seen)
    integer, errors = quantize(network, target, backend, seen, chosen.widths,
                               lambda name: progress(f"quantize {name}"))
    _require_weights(network, verify(integer), target)
    checks.append(_check_quantize(network, integer, seen, data.labels))
    told = (*notes, *lowered.notes, *filter(None, [chosen.note]))
    return Quantized(
        real=network, network=integer, seen=seen, sample=sample, labels=data.labels,
        checks=tuple(checks), errors=errors,
        notes=(*told, *(note for note in network.notes if note not in told)))


def _require_weights(real: Network, integer: Network, target: Target) -> None:
    """Refuse a layer that has weights, all of which became 0."""
    for population in real.populations:
        before, after = ([np.abs(p.map.weights()) for p in network.incoming(population.name)]
                         for network in (real, integer))
        largest = max((float(w.max(initial=0)) for w in before), default=0.0)
        if largest > 0 and not any(np.any(w) for w in after):
            raise NmcError(
                population.name, f"all of its {sum(w.size for w in before):,} weights, of up to "
                f"{largest:.4g}, become 0 at the scale that its other values leave on "
                f"{target.name}", "Bring them nearer to its threshold, bias and first states, or "
                "set them to 0.")


def _spiking(
    traced: Traced, target: Target, calibration: Data | None, options: Options, progress: Progress
) -> tuple[list[Check], Network, Data, Data, tuple[str, ...]]:
    """The checked trace as a network of spiking neurons, with sample and data in its form."""
    sample = Data(inputs=_few(traced.network, traced.inputs))
    data = calibration or sample
    progress("trace")
    checks = [_check_trace(traced)]
    source = traced.network
    if is_artificial(source):
        wanted = options.conversion
        way = _convert if wanted.code == "rate" else _convert_to_changes
        source, check = way(source, data, wanted, progress)
        checks.append(check)
        sample, data = (_repeated(part, source) for part in (sample, data))
    binary = target.formats.payload_bits.value == 0
    sample, data, notes = _for_spikes(sample, data, source.notes, options.seed, binary)
    return checks, source, sample, data, notes


def _convert(
    network: Network, data: Data, conversion: Conversion, progress: Progress
) -> tuple[Network, Check]:
    found = convert(network, data.inputs, conversion, lambda name: progress(f"convert {name}"))
    best, *others = found.trials
    figures: Figures = {
        "decisions_equal": best.decisions_equal, "samples": len(found.after),
        "steps": conversion.steps, "balance": best.balance, "output_error": best.error,
    }
    rest = ", ".join(f"{t.balance} {100 * t.decisions_equal:.2f} %" for t in others)
    text = (
        f"{100 * best.decisions_equal:.2f} % of {len(found.after)} decisions equal after "
        f"{conversion.steps} steps, thresholds {best.balance}{f' ({rest})' if rest else ''}"
    )
    return found.network, _with_accuracy(text, figures, data, found.before, found.after)


def _convert_to_changes(
    network: Network, data: Data, conversion: Conversion, progress: Progress
) -> tuple[Network, Check]:
    progress("convert")
    found = convert_to_changes(network, data.inputs, conversion.tolerance)
    trial = found.trial
    figures: Figures = {
        "decisions_equal": trial.decisions_equal, "samples": len(found.after),
        "tolerance": trial.tolerance, "sent": trial.sent, "output_error": trial.error,
    }
    text = (
        f"{100 * trial.decisions_equal:.2f} % of {len(found.after)} decisions equal in a stream of "
        f"them, changes of {trial.tolerance:g} of what a layer sends or more are sent: "
        f"{100 * trial.sent:.1f} % of all values"
    )
    return found.network, _with_accuracy(text, figures, data, found.before, found.after)


def _with_accuracy(
    text: str, figures: Figures, data: Data, before: Array, after: Array
) -> Check:
    """The check of a conversion; where the data have labels, with both accuracies."""
    if data.labels is None:
        return Check(arrow="convert", text=text, figures=figures)
    known = data.labels[: len(after)]
    right = [float((decided == known).mean()) for decided in (before, after)]
    return Check(
        arrow="convert", text=f"{text}; accuracy {100 * right[0]:.2f} % -> {100 * right[1]:.2f} %",
        figures={**figures, "accuracy_before": right[0], "accuracy_after": right[1]})


def _repeated(data: Data, network: Network) -> Data:
    """Values of one step for as many steps as `network` runs, as many samples as fit."""
    if network.steps is None:
        return data
    inputs = {name: np.repeat(v, network.steps, axis=1)
              for name, v in _few(network, data.inputs, network.steps).items()}
    return replace(data, inputs=inputs)


def _for_spikes(
    sample: Data, data: Data, notes: tuple[str, ...], seed: int, binary: bool
) -> tuple[Data, Data, tuple[str, ...]]:
    """Both data sets, rate-encoded where only binary spikes can travel and they hold values."""
    values = list(data.inputs.values())
    if not binary or all(np.all((v == 0) | (v == 1)) for v in values):
        return sample, data, notes
    note = "the chip's spikes are binary: values are sent as spikes of that rate (--encode rate)"
    encoded = [
        replace(
            part,
            inputs={name: rate_spikes(v, seed, f"input {name}") for name, v in part.inputs.items()},
        )
        for part in (sample, data)
    ]
    return encoded[0], encoded[1], (*notes, note)


def map_quantized(
    stage: Quantized, target: Target, constraints: Path | None
) -> tuple[Program, Demand]:
    """The program of a quantized network, and what its slices need."""
    asked = constraints and read_constraints(constraints, stage.network, target)
    mapping, needs = map_network(
        stage.network, target, backend_of(target.family), _rates(stage), asked)
    return Program(network=stage.network, mapping=mapping, target=target,
                   latency=stage.seen.latency), needs


def _rates(stage: Quantized) -> Array:
    """Mean spikes in a step of every input line and neuron, as in `Mapping`."""
    sent = {port.name: np.abs(payloads(port, stage.seen.inputs[port.name])) > 0
            for port in stage.network.inputs}
    sent |= {name: record["spikes"] != 0 for name, record in stage.seen.trace.records.items()}
    return np.concatenate([sent[node.name].mean(axis=(0, 1), dtype=np.float32).reshape(-1)
                           for node in stage.network.nodes])


def _check_trace(traced: Traced) -> Check:
    if not traced.expected:
        return Check(arrow="trace", text="the file holds no runnable model to compare with")
    found = run(traced.network, traced.inputs)
    wanted = {name: traced.expected[name] for name in found.records if name in traced.expected}
    difference = compare(traced.network, wanted, found.records)
    require_same("trace", difference)
    require_decisions(traced.network, found, traced.scores)
    samples = len(next(iter(traced.inputs.values())))
    return Check(
        arrow="trace",
        text=f"{describe(difference)}, states within {difference.error:.1e} (of up to "
        f"{difference.largest:.2g}), against {traced.verified_by}, {samples} samples",
        figures={
            "spikes_differing": difference.differing,
            "spikes": difference.spikes,
            "max_state_error": difference.error,
            "samples": samples,
        },
    )


def _check_quantize(
    network: Network, integer: Network, seen: Calibration, labels: Array | None
) -> Check:
    sent = {port.name: payloads(port, seen.inputs[port.name]) for port in integer.inputs}
    found, trace = run_aligned(integer, seen.latency, sent), seen.trace
    before, after = decisions(network, trace), decisions(integer, found)
    same = float((before == after).mean())
    spikes = [
        sum(int(np.count_nonzero(record["spikes"])) for record in run_.records.values())
        for run_ in (trace, found)
    ]
    figures: Figures = {
        "decisions_equal": same,
        "samples": len(after),
        "spikes_float": spikes[0],
        "spikes_integer": spikes[1],
    }
    text = (
        f"{spikes[0]:,} -> {spikes[1]:,} spikes, {100 * same:.2f} % of {len(after)} decisions equal"
    )
    if labels is not None:
        known = labels[: len(after)]
        real, whole = float((before == known).mean()), float((after == known).mean())
        figures |= {"accuracy_float": real, "accuracy_integer": whole}
        text += f"; accuracy {100 * real:.2f} % -> {100 * whole:.2f} %"
    return Check(arrow="quantize", text=text, figures=figures)


def _check_map(program: Program, sample: Data) -> Check:
    network = program.network
    sent = {port.name: payloads(port, sample.inputs[port.name]) for port in network.inputs}
    wanted = run_aligned(network, program.latency, sent)
    return _same_as(wanted.records, program, sent)


def check_remapped(program: Program, moved: Program) -> Check:
    """`moved` does what `program` did, on random spikes at the rates of its inputs."""
    network, rng = program.network, np.random.default_rng(0)
    rates = rates_by_name(network, program.mapping.rates)
    sent = {port.name: (rng.random((RANDOM_SAMPLES, RANDOM_STEPS, *port.shape))
                        < rates[port.name].reshape(port.shape)).astype(np.int32)
            for port in network.inputs}
    return _same_as(simulate(program, sent, record=_variables(network)).records, moved, sent)


def _variables(network: Network) -> tuple[str, ...]:
    return ("spikes", *sorted({name for p in network.populations for name in p.neuron.state_names}))


def _same_as(
    wanted: dict[str, dict[str, Array]], program: Program, sent: dict[str, Array]
) -> Check:
    """The check that `program` gives the records `wanted` for `sent`, bit for bit."""
    found = simulate(program, sent, record=_variables(program.network))
    differing = {"spikes": 0, "states": 0}
    for name, record in wanted.items():
        for variable, values in record.items():
            unequal = np.count_nonzero(values != found.records[name][variable])
            differing["spikes" if variable == "spikes" else "states"] += int(unequal)
    if any(differing.values()):
        raise RuntimeError(f"the mapped program differs from its network: {differing}")
    cores = len(np.unique(program.mapping.slices.core))
    spikes = sum(int(np.count_nonzero(r["spikes"])) for r in wanted.values())
    return Check(
        arrow="map",
        text=f"0 of {spikes:,} spikes and 0 states differ, simulated on {cores} cores",
        figures={"spikes_differing": 0, "states_differing": 0, "spikes": spikes, "cores": cores},
    )


def _few(
    network: Network, inputs: dict[str, Array], steps: int | None = None
) -> dict[str, Array]:
    """As many samples as a full record of `network` may keep in memory, at least one.

    steps  that will be run; default: as many as `inputs` have
    """
    steps = steps or next(iter(inputs.values())).shape[1]
    recorded = sum(prod(p.shape) * (1 + len(p.neuron.state_names)) for p in network.populations)
    samples = max(1, ELEMENTS // max(1, recorded * steps))
    return {name: values[:samples] for name, values in inputs.items()}
