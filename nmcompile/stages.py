"""What each pass hands to the next one: values that can be kept in a file and resumed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nmcompile.checks import Check
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, Slices
from nmcompile.mapping.capacity import Demand
from nmcompile.passes.legalize import Latency
from nmcompile.passes.quantize import Calibration, LayerError


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Labelled or unlabelled data in the network's own form.

    inputs  name -> (samples, steps, *shape) real values
    labels  (samples,) or None
    """

    inputs: dict[str, Array]
    labels: Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class RealStage:
    """A network as its chip runs it, in real numbers.

    latency  lag of each population in steps
    sample   what the model was traced on
    data     what scales are chosen by
    """

    network: Network
    latency: Latency
    sample: Data
    data: Data
    checks: tuple[Check, ...]
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


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerStage:
    """A network in a chip's integers.

    rates  as in `Mapping`
    """

    network: Network
    latency: Latency
    sample: Data
    rates: Array
    checks: tuple[Check, ...]
    errors: tuple[LayerError, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class CutStage:
    """A network in a chip's integers, cut into slices that have no core yet (-1).

    together  (s,) int64, slices of one number share a core
    """

    integer: IntegerStage
    slices: Slices
    together: Array

    @property
    def network(self) -> Network:
        """The network that is cut."""
        return self.integer.network


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program with the figures of its making.

    real    the network in real numbers that was quantized; None where it is not known any more
    counts  what the model did on its sample (`report.yardsticks.real_counts`); likewise
    """

    program: Program
    checks: tuple[Check, ...]
    layer_errors: tuple[LayerError, ...]
    demand: Demand
    notes: tuple[str, ...]
    real: Network | None = None
    counts: dict[str, Any] | None = None


Stage = Traced | RealStage | IntegerStage | CutStage
