"""Integer networks whose neurons all fit a core, with the check that relays changed nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.backend import Backend
from nmcompile.checks import Check, count_differing
from nmcompile.ir import Network, Trace, run_aligned, verify
from nmcompile.ir.neurons.base import Array
from nmcompile.mapper import taken
from nmcompile.mapping import rates_by_name
from nmcompile.mapping.capacity import CapacityError
from nmcompile.mapping.constraints import Constraints
from nmcompile.passes.partition import FanIn, split_fan_in, suggestions
from nmcompile.passes.quantize import payloads
from nmcompile.stages import IntegerStage
from nmcompile.target import Target


def fit_fan_in(stage: IntegerStage, target: Target, backend: Backend) -> IntegerStage:
    """`stage` with graded relays for inputs that no core holds; see `split_fan_in`.

    It is run on its sample before and after: all spikes and states must be equal, or it is a
    fault of ours. A stage that fits is given back. Raises CapacityError where relays cannot help.
    """
    try:
        found = split_fan_in(stage.network, stage.latency, target, backend)
    except CapacityError as error:
        cores = target.n_cores
        ways = suggestions(
            stage.network, target, backend,
            lambda changed: taken(changed, target, backend, Constraints(), cores), cores, error)
        raise error.with_hint(" ".join((error.hint, *(f"{way}." for way in ways)))) from error
    if not found.cuts:
        return stage
    verify(found.network)
    sent = {p.name: payloads(p, stage.sample.inputs[p.name]) for p in stage.network.inputs}
    before = run_aligned(stage.network, stage.latency, sent)
    after = run_aligned(found.network, found.latency, sent)
    return replace(
        stage, network=found.network, latency=found.latency,
        rates=_rates(stage, found.network, after),
        checks=(*stage.checks, _check(before, after, stage, found)),
        notes=(*stage.notes, *_notes(stage, found, target)))


def _rates(stage: IntegerStage, network: Network, trace: Trace) -> Array:
    """Rates of all nodes: those of relays as on the sample."""
    known = rates_by_name(stage.network, stage.rates)
    return np.concatenate([
        known[node.name] if node.name in known
        else (trace.spikes(node.name) != 0).mean(axis=(0, 1), dtype=np.float32).reshape(-1)
        for node in network.nodes])


def _check(before: Trace, after: Trace, stage: IntegerStage, found: FanIn) -> Check:
    differing, spikes = count_differing(before.records, after.records)
    if any(differing.values()):
        raise RuntimeError(f"the network differs with relays: {differing}")
    depths = [max(latency.values()) for latency in (stage.latency, found.latency)]
    return Check(
        arrow="fan-in", text=f"0 of {spikes:,} spikes and 0 states differ; {depths[0]} -> "
        f"{depths[1]} steps from input to output",
        figures={"spikes_differing": 0, "states_differing": 0, "spikes": spikes,
                 "pipeline_steps": depths[1]})


def _notes(stage: IntegerStage, found: FanIn, target: Target) -> tuple[str, ...]:
    return tuple(
        f"{cut.layer}: no core of {target.name} holds the {cut.inputs:,} inputs of a neuron; "
        f"{len(cut.relays):,} populations of graded relays "
        f"({len(cut.relays) * stage.network.population(cut.layer).size:,} neurons) add them up "
        "one step before it" for cut in found.cuts)
