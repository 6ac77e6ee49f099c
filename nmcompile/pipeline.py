"""From a traced model to a checked Program: the passes in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import numpy as np

from nmcompile.artificial import Figures, Progress, in_levels, to_changes, to_rates
from nmcompile.checks import Check, compare, describe, require_decisions, require_same
from nmcompile.encode import rate_spikes
from nmcompile.errors import OptionsError, PrecisionError
from nmcompile.fan_in import fit_fan_in
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Network, decisions, run, run_aligned, verify
from nmcompile.ir.neurons.base import Array
from nmcompile.late import told_of_late
from nmcompile.lowering import Legalisation, lower
from nmcompile.map_check import check_map, check_split
from nmcompile.mapper import Cut, cut, lay, map_network
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand
from nmcompile.mapping.constraints import read_constraints
from nmcompile.passes.convert import Conversion, is_artificial
from nmcompile.passes.partition import OWN, told_of, told_of_sharing
from nmcompile.passes.quantize import (
    Calibration,
    Precision,
    choose_widths,
    payloads,
    quantize,
)
from nmcompile.recorded import recorded, sent_to
from nmcompile.registry import backend as backend_of
from nmcompile.stages import (
    Compiled,
    CutStage,
    Data,
    IntegerStage,
    Quantized,
    RealStage,
    Stage,
)
from nmcompile.target import Target

ELEMENTS = 100_000_000  # recorded numbers that a check may keep in memory
Keep = Callable[[str, Stage], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user may choose.

    conversion  how a network of activations becomes a spiking one
    precision   how wide weights are
    legalisation  what may be changed where the chip's formats cannot hold the network
    seed        of the rate encoding of values where the chip's spikes are binary
    constraints  file that says where layers may go: see `nmcompile.mapping.constraints`
    search      whether cuts and cores are chosen for the least energy times delay
    partitioner of irregular populations, one of PARTITIONERS
    """

    conversion: Conversion = field(default_factory=Conversion)
    precision: Precision = field(default_factory=Precision)
    legalisation: Legalisation = field(default_factory=Legalisation)
    seed: int = 0
    constraints: Path | None = None
    search: bool = False
    partitioner: str = OWN


def compile_stage(
    stage: Stage,
    target: Target,
    calibration: Data | None = None,
    options: Options | None = None,
    progress: Progress = lambda stage: None,
    keep: Keep = lambda name, stage: None,
) -> Compiled:
    """Lower, quantize, partition, route and place for `target`, checking every arrow.

    stage        a traced network, or what a later pass made: the passes before it are left out
    calibration  data whose statistics choose the scales, and whose labels measure the accuracy;
                 default: the sample that the model was traced on
    keep         is given the name of each pass that ends, and its result
    """
    options, real = options or Options(), None
    if isinstance(stage, CutStage):
        _require_uncut(options)
    if isinstance(stage, Traced):
        keep("trace", stage)
        stage = lower_traced(stage, target, calibration, options, progress)
    if isinstance(stage, RealStage):
        keep("lower", stage)
        real = stage.network
        stage = integer_stage(quantize_stage(stage, target, options, progress))
    backend, asked = backend_of(target.family), None
    if isinstance(stage, IntegerStage):
        keep("quantize", stage)
        progress("partition")
        stage = fit_fan_in(stage, target, backend)
    if options.constraints:
        asked = read_constraints(options.constraints, stage.network, target)
    if isinstance(stage, IntegerStage):
        found = cut(stage.network, target, backend, stage.rates, asked,
                    recorded(stage, target, options.search), options.partitioner)
        if found.slices.orders:
            stage = replace(stage, notes=(*stage.notes, *told_of(options.partitioner)))
        stage = cut_stage(stage, found)
    keep("partition", stage)
    progress("map")
    integer, n = stage.integer, sum(node.size for node in stage.network.nodes)
    whole = Cut(network=stage.network, slices=stage.slices, together=stage.together,
                origin=np.arange(n))
    program, needs = lay(whole, target, backend, integer.rates, asked)
    checks = (*integer.checks, check_map(program, integer.sample))
    late = told_of_late(program, backend.timing(program), sent_to(stage.network, integer.sample))
    return Compiled(program=program, checks=checks, layer_errors=integer.errors, demand=needs,
                    notes=(*integer.notes, *told_of_sharing(whole.together), *late), real=real)


def cut_stage(stage: IntegerStage, found: Cut) -> CutStage:
    """`stage` as it was cut, with splitters where it needs them; these are checked."""
    if found.network is not stage.network:
        check = check_split(stage, verify(found.network))
        stage = replace(stage, network=found.network, latency=found.network.lags,
                        rates=stage.rates[found.origin], checks=(*stage.checks, check))
    return CutStage(integer=stage, slices=found.slices, together=found.together)


def _require_uncut(options: Options) -> None:
    """Refuse what chooses a cut, as the network is cut already."""
    for name, chosen in (("--search", options.search),
                         ("--partitioner", options.partitioner != OWN)):
        if chosen:
            raise OptionsError(name, "cuts layers, and this stage is behind the cut",
                               "Go on from quantize.h5.")


def lower_traced(
    traced: Traced,
    target: Target,
    calibration: Data | None = None,
    options: Options | None = None,
    progress: Progress = lambda stage: None,
) -> RealStage:
    """`traced` as `target` runs it, still in real numbers; parameters as of `compile_stage`."""
    options = options or Options()
    checks, source, sample, data, notes = _spiking(traced, target, calibration, options, progress)
    progress("lower")
    backend = backend_of(target.family)
    lowered = lower(source, target, backend, sample.inputs, options.legalisation)
    network, checks = lowered.network, [*checks, *lowered.checks]
    if backend.activation_bits:
        progress("levels")
        few = replace(data, inputs=recordable(network, data.inputs))
        network, check = in_levels(network, lowered.latency, few, backend.activation_bits)
        checks.append(check)
    return RealStage(
        network=network, latency=lowered.latency, sample=sample, data=data,
        checks=tuple(checks), notes=(*notes, *lowered.notes))


def quantize_traced(
    traced: Traced,
    target: Target,
    calibration: Data | None = None,
    options: Options | None = None,
    progress: Progress = lambda stage: None,
) -> Quantized:
    """`traced` in the integers of `target`; parameters as of `compile_stage`."""
    stage = lower_traced(traced, target, calibration, options, progress)
    return quantize_stage(stage, target, options or Options(), progress)


def quantize_stage(
    stage: RealStage, target: Target, options: Options, progress: Progress = lambda stage: None
) -> Quantized:
    """A lowered network in the integers of `target`."""
    progress("quantize")
    backend, network, latency = backend_of(target.family), stage.network, stage.latency
    few = recordable(network, stage.data.inputs)
    trace = run_aligned(network, latency, few)
    seen = Calibration(inputs=few, trace=trace, latency=latency)
    chosen = choose_widths(options.precision, network, target, backend, seen)
    integer, errors = quantize(network, target, backend, seen, chosen.widths,
                               lambda name: progress(f"quantize {name}"))
    _require_weights(network, verify(integer), target)
    check = _check_quantize(network, integer, seen, stage.data.labels)
    told = (*stage.notes, *filter(None, [chosen.note]))
    return Quantized(
        real=network, network=integer, seen=seen, sample=stage.sample, labels=stage.data.labels,
        checks=(*stage.checks, check), errors=errors,
        notes=(*told, *(note for note in network.notes if note not in told)))


def integer_stage(found: Quantized) -> IntegerStage:
    """What mapping needs of a quantized network."""
    network, seen = found.network, found.seen
    fired = {port.name: payloads(port, seen.inputs[port.name]) != 0 for port in network.inputs}
    fired |= {name: record["spikes"] != 0 for name, record in seen.trace.records.items()}
    rates = [fired[node.name].mean(axis=(0, 1), dtype=np.float32).reshape(-1)
             for node in network.nodes]
    return IntegerStage(
        network=network, latency=seen.latency, sample=found.sample, rates=np.concatenate(rates),
        checks=found.checks, errors=found.errors, notes=found.notes)


def map_stage(
    stage: IntegerStage, target: Target, constraints: Path | None
) -> tuple[Program, Demand]:
    """The program of an integer network, without its check, and what its slices need."""
    backend = backend_of(target.family)
    stage = fit_fan_in(stage, target, backend)
    asked = read_constraints(constraints, stage.network, target) if constraints else None
    return map_network(
        stage.network, target, backend, stage.rates, asked, recorded(stage, target, search=False))


def _require_weights(real: Network, integer: Network, target: Target) -> None:
    """Refuse a layer that has weights, all of which became 0."""
    for population in real.populations:
        before, after = ([np.abs(p.map.weights()) for p in network.incoming(population.name)]
                         for network in (real, integer))
        largest = max((float(w.max(initial=0)) for w in before), default=0.0)
        if largest > 0 and not any(np.any(w) for w in after):
            raise PrecisionError(
                population.name, f"all of its {sum(w.size for w in before):,} weights, of up to "
                f"{largest:.4g}, become 0 at the scale that its other values leave on "
                f"{target.name}", "Bring them nearer to its threshold, bias and first states, or "
                "set them to 0.")


def _spiking(
    traced: Traced, target: Target, calibration: Data | None, options: Options, progress: Progress
) -> tuple[list[Check], Network, Data, Data, tuple[str, ...]]:
    """The checked trace as a network of spiking neurons, with sample and data in its form."""
    sample = Data(inputs=recordable(traced.network, traced.inputs))
    data = calibration or sample
    progress("trace")
    checks = [_check_trace(traced)]
    source = traced.network
    if is_artificial(source) and not backend_of(target.family).activation_bits:
        wanted = options.conversion
        way = to_rates if wanted.code == "rate" else to_changes
        source, check = way(source, data, wanted, progress)
        checks.append(check)
        sample, data = (_repeated(part, source) for part in (sample, data))
    binary = target.formats.payload_bits.value == 0
    sample, data, notes = _for_spikes(sample, data, source.notes, options.seed, binary)
    return checks, source, sample, data, notes


def _repeated(data: Data, network: Network) -> Data:
    """Values of one step for as many steps as `network` runs, as many samples as fit."""
    if network.steps is None:
        return data
    inputs = {name: np.repeat(v, network.steps, axis=1)
              for name, v in recordable(network, data.inputs, network.steps).items()}
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


def recordable(
    network: Network, inputs: dict[str, Array], steps: int | None = None
) -> dict[str, Array]:
    """As many samples as a full record of `network` may keep in memory, at least one.

    steps  that will be run; default: as many as `inputs` have
    """
    steps = steps or next(iter(inputs.values())).shape[1]
    recorded = sum(prod(p.shape) * (1 + len(p.neuron.state_names)) for p in network.populations)
    samples = max(1, ELEMENTS // max(1, recorded * steps))
    return {name: values[:samples] for name, values in inputs.items()}
