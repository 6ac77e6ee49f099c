"""From a spiking network to one that a chip can run, still in real numbers, and its checks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend, Misfit
from nmcompile.checks import TIE, Check, compare, describe, require_same
from nmcompile.errors import CheckError, NearestError
from nmcompile.ir import Network, Trace, WeightWidth, run, run_aligned, scores, verify
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize import (
    Latency,
    compose,
    in_places,
    retime,
    with_relay_neurons,
)
from nmcompile.passes.quantize import Calibration, layer_of
from nmcompile.passes.relay import rates_of, relay
from nmcompile.registry import extra_passes
from nmcompile.target import Target

ANY_DELAY = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Legalisation:
    """What may be changed where a chip's formats cannot hold a network.

    nearest       values and delays become the nearest that the chip holds
    relay_delays  delays beyond the chip's become rows of relay neurons
    """

    nearest: bool = False
    relay_delays: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Lowered:
    """A network as the chip runs it, with the lag of each population, and how it was checked."""

    network: Network
    latency: Latency
    checks: tuple[Check, ...]
    notes: tuple[str, ...]


def lower(
    network: Network,
    target: Target,
    backend: Backend,
    inputs: dict[str, Array],
    legalisation: Legalisation,
) -> Lowered:
    """`network` with its maps composed, in neurons and delays that `target` has.

    inputs  name -> (samples, steps, *shape) on which the checks run
    Raises NmcError for what the chip cannot run or hold, unless `legalisation` allows the change.
    """
    chip = target if backend.relay(target) else None
    relayed = relay(network, chip, lambda: rates_of(network, inputs))
    lowered = relayed.network
    if not backend.activation_bits:
        lowered = verify(in_places(compose(lowered)))
        for extra in extra_passes().values():
            lowered = verify(extra(lowered))
    lowered = verify(backend.legalize(lowered, target))
    notes = [relayed.note] if relayed.note else []
    longest = target.formats.max_delay.value
    if legalisation.relay_delays:
        lowered, told = _delayed(lowered, longest)
        notes += told
    retimed, latency = retime(lowered, ANY_DELAY)
    seen = Calibration(inputs=inputs, latency=latency,
                       trace=run_aligned(verify(retimed), latency, inputs))
    checks = [_check(network, retimed, seen, membranes=bool(backend.activation_bits))]
    legal, changes = _legal(retimed, target, backend, legalisation, seen)
    if changes:
        checks.append(_check_legal(legal, seen, changes, target))
    return Lowered(network=verify(legal), latency=latency, checks=tuple(checks),
                   notes=tuple(notes))


def _delayed(network: Network, longest: int) -> tuple[Network, list[str]]:
    _, lag = retime(network, ANY_DELAY)
    found = with_relay_neurons(network, longest, lag)
    if not found.neurons:
        return network, []
    projections = f"{found.moved} projection{'s' if found.moved > 1 else ''}"
    return verify(in_places(compose(found.network))), [
        f"delays beyond {longest} steps of {projections} are made of {found.neurons:,} relay "
        "neurons, which spike as their sources do"]


def _legal(
    network: Network, target: Target, backend: Backend, legalisation: Legalisation,
    seen: Calibration,
) -> tuple[Network, tuple[str, ...]]:
    """`network` with every value that the chip holds, and each change in words."""
    longest, changes = target.formats.max_delay.value, []
    steps = next(iter(seen.inputs.values())).shape[1]
    projections = []
    for p in network.projections:
        if p.delay > longest:
            early = p.delay - longest
            misfit = Misfit(
                where=p.name, what=f"a delay of {p.delay} steps, {target.name} has at most "
                f"{longest}", nearest=f"{longest} steps",
                effect=f"its spikes would arrive {early} step{'s' if early > 1 else ''} early")
            _require_allowed(misfit, legalisation, ", or --relay-delays, which keeps the spikes "
                             "and takes relay neurons")
            changes.append(f"{p.name}: delay {p.delay} -> {longest}")
        projections.append(replace(p, delay=min(p.delay, longest)))
    populations = list(network.populations)
    units = _units(network, target, backend, seen)
    width = WeightWidth(bits=target.formats.weight_bits.value)
    for index, population in enumerate(network.populations):
        layer = layer_of(network, population, units, seen.trace, width)
        for misfit in backend.misfits(layer, target, steps):
            _require_allowed(misfit, legalisation, "")
            changes.append(f"{misfit.where}: {misfit.what.split(',')[0]} -> {misfit.nearest}")
            assert misfit.legal is not None
            populations[index] = misfit.legal
    return replace(network, populations=tuple(populations),
                   projections=tuple(projections)), tuple(changes)


def _units(
    network: Network, target: Target, backend: Backend, seen: Calibration
) -> dict[str, float]:
    """The real value of a unit of each source's payload; not known yet of graded populations."""
    formats = {port.name: backend.input_format(port, seen.inputs[port.name], target)
               for port in network.inputs}
    graded = {p.name: np.nan for p in network.populations if p.neuron.graded}
    return {**{name: form.scale for name, form in formats.items()}, **graded}


def _require_allowed(misfit: Misfit, legalisation: Legalisation, otherwise: str) -> None:
    if not legalisation.nearest:
        raise NearestError(
            misfit.where, f"{misfit.what}; the nearest is {misfit.nearest}, {misfit.effect}",
            f"Change the model, or add --legalise to take the nearest{otherwise}.")


def _check(traced: Network, lowered: Network, seen: Calibration, *, membranes: bool) -> Check:
    wanted = run(traced, seen.inputs)
    known = {p.name for p in lowered.populations if p.shape == _shapes(traced).get(p.name)}
    difference = compare(lowered, {name: record for name, record in wanted.records.items()
                                   if name in known}, seen.trace.records, states=False)
    require_same("lower", difference)
    if membranes:
        _require_scores(traced, wanted, lowered, seen.trace)
    depth = max(seen.latency.values())
    return Check(
        arrow="lower",
        text=f"{describe(difference)}; {depth} steps from input to output",
        figures={
            "spikes_differing": difference.differing,
            "spikes": difference.spikes,
            "pipeline_steps": depth,
        },
    )


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {p.name: p.shape for p in network.populations}


def _require_scores(traced: Network, wanted: Trace, lowered: Network, found: Trace) -> None:
    """Raise NmcError where the first outputs differ by more than float32 rounding.

    Spikes tell nothing of membranes that are read.
    """
    if traced.outputs[0].variable == "spikes":
        return
    real, low = scores(traced.outputs[0], wanted), scores(lowered.outputs[0], found)
    allowed = TIE * max(1.0, float(np.abs(real).max()))
    error = float(np.abs(real - low).max())
    if not error <= allowed:
        raise CheckError("lower", f"outputs differ by up to {error:.2g}, allowed {allowed:.2g}",
                         "The result would not be the model; please report it with the model.")


def _check_legal(
    legal: Network, seen: Calibration, changes: tuple[str, ...], target: Target
) -> Check:
    """How much the nearest legal values change: a stated loss, as quantization is one."""
    found = run_aligned(verify(legal), seen.latency, seen.inputs)
    difference = compare(legal, seen.trace.records, found.records, states=False)
    return Check(
        arrow="legalise",
        text=f"{len(changes)} value{'s' if len(changes) > 1 else ''} became the nearest that "
        f"{target.name} holds ({'; '.join(changes)}): {difference.differing:,} of "
        f"{difference.spikes:,} spikes differ",
        figures={"changes": len(changes), "spikes_differing": difference.differing,
                 "spikes": difference.spikes},
    )
