"""A mapped program does what it did before it was mapped, bit for bit."""

from __future__ import annotations

import numpy as np

from nmcompile.checks import Check, Records, count_differing
from nmcompile.ir import Network, run_aligned
from nmcompile.ir.neurons.base import Array, is_splitter
from nmcompile.mapping import Program, rates_by_name
from nmcompile.mapping.multicast.program import check_routing
from nmcompile.passes.quantize import payloads
from nmcompile.simulator import simulate
from nmcompile.stages import Data, IntegerStage

RANDOM_SAMPLES, RANDOM_STEPS = 4, 32  # of the check of a new mapping


def check_map(program: Program, sample: Data) -> Check:
    """`program` does what its network does on `sample`."""
    network = program.network
    sent = {port.name: payloads(port, sample.inputs[port.name]) for port in network.inputs}
    wanted = run_aligned(network, program.latency, sent)
    return _same_as(wanted.records, program, sent)


def check_split(stage: IntegerStage, network: Network) -> Check:
    """`network`, which has splitters, does what that of `stage` did on its sample."""
    sent = {port.name: payloads(port, stage.sample.inputs[port.name]) for port in network.inputs}
    before = run_aligned(stage.network, stage.latency, sent).records
    differing, spikes = count_differing(before, run_aligned(network, network.lags, sent).records)
    if any(differing.values()):
        raise RuntimeError(f"the network differs with splitters: {differing}")
    splitters = {p.name: p.size for p in network.populations if is_splitter(p.neuron)}
    fed = {p.source for p in network.projections if p.target in splitters}
    neurons = sum(splitters.values())
    later = max(network.lags.values()) - max(stage.latency.values())
    return Check(
        arrow="split",
        text=f"0 of {spikes:,} spikes and 0 states differ with {neurons:,} splitter neurons behind "
        f"{', '.join(sorted(fed - set(splitters)))}; {later} step{'' if later == 1 else 's'} "
        "more from input to output",
        figures={"spikes_differing": 0, "states_differing": 0, "spikes": spikes,
                 "splitter_neurons": neurons, "more_steps": later})


def check_remapped(program: Program, moved: Program) -> Check:
    """`moved` does what `program` did, on random spikes at the rates of its inputs."""
    sent = random_inputs(program)
    records = simulate(program, sent, record=_variables(program.network)).records
    return _same_as(records, moved, sent)


def random_run(program: Program) -> dict[str, Array]:
    """(samples, steps, *shape) what each input and population sends for random inputs.

    Inputs have the rates of the program's.
    """
    sent = random_inputs(program)
    records = simulate(program, sent, record=("spikes",)).records
    return {**sent, **{name: record["spikes"] for name, record in records.items()}}


def random_inputs(program: Program) -> dict[str, Array]:
    """(samples, steps, *shape) spikes of each input, random at its rates, and their payloads."""
    rng, rates = np.random.default_rng(0), rates_by_name(program.network, program.mapping.rates)
    sent = dict[str, Array]()
    for port in program.network.inputs:
        shape = (RANDOM_SAMPLES, RANDOM_STEPS, *port.shape)
        spikes = (rng.random(shape) < rates[port.name].reshape(port.shape)).astype(np.int32)
        if port.format.payload_bits:
            spikes *= rng.integers(1, port.format.limit + 1, shape, np.int32)
        sent[port.name] = spikes
    return sent


def _variables(network: Network) -> tuple[str, ...]:
    return ("spikes", *sorted({name for p in network.populations for name in p.neuron.state_names}))


def _same_as(
    wanted: Records, program: Program, sent: dict[str, Array]
) -> Check:
    """The check that `program` gives the records `wanted` for `sent`, bit for bit."""
    found = simulate(program, sent, record=_variables(program.network))
    differing, spikes = count_differing(wanted, found.records)
    if any(differing.values()):
        raise RuntimeError(f"the mapped program differs from its network: {differing}")
    cores = len(np.unique(program.mapping.slices.core))
    return Check(
        arrow="map",
        text=f"0 of {spikes:,} spikes and 0 states differ, simulated on {cores} cores"
        + _walked(program),
        figures={"spikes_differing": 0, "states_differing": 0, "spikes": spikes, "cores": cores},
    )


def _walked(program: Program) -> str:
    """What the walk of all keys through the tables found, where there are some."""
    if program.mapping.routing is None:
        return ""
    check_routing(program)
    entries = len(program.mapping.routing.tables)
    return f"; every key reaches its cores through {entries:,} routing entries"
