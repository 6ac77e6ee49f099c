"""How wide the weights of each layer are: the same for all, or what each layer bears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import WidthError
from nmcompile.ir import (
    TERNARY,
    Network,
    Projection,
    Trace,
    WeightWidth,
    decisions,
    run_aligned,
    scores,
)
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.quantize.quantize import Calibration, Widths, quantize
from nmcompile.target import Target

NAMES = {"8": WeightWidth(bits=8), "4": WeightWidth(bits=4), "2": WeightWidth(bits=2),
         "ternary": TERNARY}
AUTO = "auto"
STEPS = (NAMES["8"], NAMES["4"], NAMES["2"])  # that a layer goes down by itself
KEPT = 0.995  # of the decisions, where no memory says how far to go


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What the user asked for.

    weights      a name of NAMES, "auto", or None for the chip's own width
    memory_bits  most bits of all weights together, for "auto"
    """

    weights: str | None = None
    memory_bits: int | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The width of each layer, and in words why."""

    widths: Widths
    note: str = ""


def choose_widths(
    precision: Precision,
    network: Network,
    target: Target,
    backend: Backend,
    calibration: Calibration,
) -> Chosen:
    """The widths that `precision` asks for; raises NmcError for what the chip cannot store."""
    widest = target.formats.weight_bits.value
    if precision.weights is None:
        return Chosen(widths={})
    if precision.weights != AUTO:
        width = NAMES[precision.weights]
        if width.bits > widest:
            raise WidthError("bits", f"weights have {width.bits} bits, {target.name} stores "
                             f"{widest} at most", "Take narrower ones, or leave out --bits.")
        return Chosen(widths={p.name: width for p in network.populations})

    def quantized(width: WeightWidth) -> Network:
        same = {p.name: width for p in network.populations}
        return quantize(network, target, backend, calibration, same)[0]

    steps = tuple(width for width in STEPS if width.bits <= widest)
    return _by_sensitivity(
        _Mixer(network, calibration, {width: quantized(width) for width in steps}),
        steps, precision.memory_bits)


class _Mixer:
    """Float networks with some layers' weights as one of several integer networks has them."""

    def __init__(
        self, network: Network, calibration: Calibration, whole: dict[WeightWidth, Network]
    ) -> None:
        self.network, self.calibration, self.whole = network, calibration, whole
        self.before = self._scores(network)
        self.sizes = {p.name: sum(link.map.weights().size for link in network.incoming(p.name))
                      for p in network.populations}
        self.free = [p.name for p in network.populations
                     if self.sizes[p.name] and not any(
                         getattr(link.map, "grid", None) for link in network.incoming(p.name))]

    def change(self, widths: Widths) -> tuple[float, float]:
        """Relative change of the outputs under `widths`, and the share of decisions that stay."""
        after = self._scores(self._mixed(widths))
        size = float(np.sqrt(np.square(self.before[0]).mean())) or 1.0
        moved = float(np.sqrt(np.square(after[0] - self.before[0]).mean())) / size
        return moved, float((after[1] == self.before[1]).mean())

    def bits(self, widths: Widths) -> int:
        """Of all weights under `widths`; those that were trained as integers at the widest."""
        widest = max(width.bits for width in self.whole)
        return sum(size * (widths[name].bits if name in widths else widest)
                   for name, size in self.sizes.items())

    def _mixed(self, widths: Widths) -> Network:
        links = {width: dict(zip(map(id, self.network.projections), whole.projections, strict=True))
                 for width, whole in self.whole.items()}
        return replace(self.network, projections=tuple(
            _softened(p, links[widths[p.target]][id(p)]) if p.target in widths else p
            for p in self.network.projections))

    def _scores(self, network: Network) -> tuple[Array, Array]:
        trace: Trace = run_aligned(network, self.calibration.latency, self.calibration.inputs)
        return scores(network.outputs[0], trace), decisions(network, trace)


def _softened(real: Projection, whole: Projection) -> Projection:
    """`real` with the weights of `whole`, times the factor that brings them nearest to its own."""
    wanted, stored = (p.map.weights().astype(np.float64) for p in (real, whole))
    power = float(stored @ stored)
    factor = float(wanted @ stored) / power if power > 0 else 0.0
    return replace(real, map=real.map.with_weights((stored * factor).astype(np.float32)))


def _by_sensitivity(
    mixer: _Mixer, steps: tuple[WeightWidth, ...], memory_bits: int | None
) -> Chosen:
    """Narrow one layer after the other, first where a bit saved changes the outputs least."""
    change = {(name, width): mixer.change({name: width})[0]
              for name in mixer.free for width in steps}
    path = list(_narrowing(mixer, steps, change))

    def bears(widths: Widths) -> bool:
        if memory_bits is not None:
            return mixer.bits(widths) <= memory_bits
        return mixer.change(widths)[1] >= KEPT

    if memory_bits is None:
        chosen = path[_last(lambda i: bears(path[i]), len(path))]
    else:
        fitting = [widths for widths in path if bears(widths)]
        if not fitting:
            raise WidthError(
                "memory", f"the weights take {-(-mixer.bits(path[-1]) // 8):,} bytes at their "
                f"narrowest, {memory_bits // 8:,} are given", "Give more, or train fewer weights.")
        chosen = fitting[0]
    full = mixer.bits({name: steps[0] for name in mixer.free})
    listed = ", ".join(f"{name} {width}" for name, width in chosen.items())
    return Chosen(widths=chosen, note=(
        f"bits of weights by sensitivity: {listed}; {100 * mixer.bits(chosen) / full:.0f} % of the "
        f"memory of {steps[0]} bits, {100 * mixer.change(chosen)[1]:.2f} % of decisions kept"))


def _narrowing(
    mixer: _Mixer, steps: tuple[WeightWidth, ...], change: dict[tuple[str, WeightWidth], float]
) -> list[Widths]:
    """Assignments from the widest to the narrowest, a step of one layer apart."""
    at = dict.fromkeys(mixer.free, 0)
    path = [{name: steps[0] for name in mixer.free}]
    while any(place + 1 < len(steps) for place in at.values()):
        name = min((n for n in at if at[n] + 1 < len(steps)), key=lambda n: (
            (change[n, steps[at[n] + 1]] - change[n, steps[at[n]]])
            / (mixer.sizes[n] * (steps[at[n]].bits - steps[at[n] + 1].bits)), n))
        at[name] += 1
        path.append({n: steps[place] for n, place in at.items()})
    return path


def _last(holds: Callable[[int], bool], count: int) -> int:
    """The last index below `count` that holds, by bisection; 0 where only it may."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
