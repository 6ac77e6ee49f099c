"""What a network loses in each number format of its weights, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import ml_dtypes
import numpy as np

from nmcompile.ir import Network, Projection, Trace, WeightWidth, decisions, run_aligned
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.quantize import NAMES, payloads, quantize
from nmcompile.registry import backend as backend_of
from nmcompile.stages import Quantized
from nmcompile.target import Target

# 8-bit floats of Micikevicius et al. 2022 (arXiv 2209.05433, table 1): E4M3 without infinities.
FLOATS = {"fp8 E4M3": ml_dtypes.float8_e4m3fn, "fp8 E5M2": ml_dtypes.float8_e5m2}
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FormatRow:
    """One format: what its weights take, and what the network does with them.

    arithmetic       "float32" where only the weights are rounded, or the chip's
    memory_bits      of all weights
    spikes           of all populations on the calibration data
    decisions_equal  share of the samples that are decided as in float32
    accuracy         on the calibration data; None without labels
    """

    name: str
    arithmetic: str
    memory_bits: int
    spikes: int
    decisions_equal: float
    accuracy: float | None


def compare_formats(
    stage: Quantized, target: Target, progress: Progress = lambda name: None
) -> tuple[FormatRow, ...]:
    """float32, the 8-bit floats, and each integer width that `target` stores, on its arithmetic.

    All are run on the same calibration data; floats have one scale a projection, which takes its
    largest weight to the largest number.
    """
    return tuple(_rows(stage, target, progress))


def _rows(stage: Quantized, target: Target, progress: Progress) -> Iterator[FormatRow]:
    yield _row("float32", "float32", 32, stage, stage.seen.trace, stage.real)
    for name, kind in FLOATS.items():
        progress(name)
        network = replace(stage.real, projections=tuple(
            _in_floats(p, kind) for p in stage.real.projections))
        trace = run_aligned(network, stage.seen.latency, stage.seen.inputs)
        yield _row(name, "float32", 8, stage, trace, network)
    for name, width in NAMES.items():
        if width.bits <= target.formats.weight_bits.value:
            progress(name)
            network = _in_integers(stage, target, width)
            sent = {port.name: payloads(port, stage.seen.inputs[port.name])
                    for port in network.inputs}
            trace = run_aligned(network, stage.seen.latency, sent)
            shown = name if name == "ternary" else f"int{name}"
            yield _row(shown, target.name, width.bits, stage, trace, network)


def _in_integers(stage: Quantized, target: Target, width: WeightWidth) -> Network:
    widths = {population.name: width for population in stage.real.populations}
    return quantize(stage.real, target, backend_of(target.family), stage.seen, widths)[0]


def _in_floats(projection: Projection, kind: type) -> Projection:
    """`projection` with its weights rounded to `kind`, to nearest, ties to even."""
    weights = projection.map.weights().astype(np.float64)
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0:
        return projection
    scale = float(ml_dtypes.finfo(kind).max) / largest  # type: ignore[no-untyped-call]
    rounded: Array = (weights * scale).astype(kind).astype(np.float64) / scale
    return replace(projection, map=projection.map.with_weights(rounded.astype(np.float32)))


def _row(
    name: str, arithmetic: str, bits: int, stage: Quantized, trace: Trace, network: Network
) -> FormatRow:
    before, after = decisions(stage.real, stage.seen.trace), decisions(network, trace)
    weights = sum(p.map.weights().size for p in network.projections)
    labels = None if stage.labels is None else stage.labels[: len(after)]
    return FormatRow(
        name=name, arithmetic=arithmetic, memory_bits=weights * bits,
        spikes=sum(int(np.count_nonzero(record["spikes"])) for record in trace.records.values()),
        decisions_equal=float((before == after).mean()),
        accuracy=None if labels is None else float((after == labels).mean()))
