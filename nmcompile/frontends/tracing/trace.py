"""From a torch module to a network with the module's own results beside it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from nmcompile.errors import TraceError, UnsupportedLayerError
from nmcompile.frontends.adapters import adapters
from nmcompile.frontends.interface import Traced
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.fold import Node, fold, with_initial
from nmcompile.frontends.tracing.readings import INPUT, Reading, Sample, read
from nmcompile.frontends.tracing.readout import Readout, readout
from nmcompile.frontends.tracing.recorder import ACCEPTED
from nmcompile.frontends.tracing.returned import returned_scores
from nmcompile.frontends.tracing.values import Value
from nmcompile.ir import Input, Network, Projection, verify
from nmcompile.ir.filters import with_filters
from nmcompile.ir.neurons import Neuron
from nmcompile.ir.neurons.base import Array


def trace(
    model: nn.Module, sample: Sample, *, steps: int | None, verified_by: str,
    notes: tuple[str, ...] = (),
) -> Traced:
    """The network of `model`, found by running it on `sample`, and what it computed there."""
    _require_plain(model)
    reading = read(model, sample, steps)
    naming = _naming(model)
    taken = {naming(path) for path in reading.session.calls}
    every = tuple(reading.session.calls.values())
    ends = readout(reading.outputs, reading.steps, naming, {INPUT}, taken, _integrators(every))
    calls = _used(every, reading)
    nodes = tuple(_node(c, naming, reading.steps) for c in calls)
    network = with_filters(
        _network(reading, (*nodes, *ends.nodes), calls, ends, naming, notes))
    kept = slice(0, reading.samples)
    neurons = {population.name: population.neuron for population in network.populations}
    return Traced(
        network=verify(network),
        inputs={network.inputs[0].name: reading.values[kept]},
        expected={naming(c.path): _record(c, kept, reading.steps, neurons[naming(c.path)])
                  for c in calls if naming(c.path) in neurons and c.records},
        verified_by=verified_by,
        scores=returned_scores(reading),
    )


def _used(calls: tuple[Calls, ...], reading: Reading) -> tuple[Calls, ...]:
    """`calls` without the activations that nothing takes, as one followed by another leaves it."""
    returned = [v for known in reading.outputs
                for v in ((known,) if isinstance(known, Value) else known.origins)]
    kept = {t.source for v in returned for e in v.exprs for t in e.terms}
    kept |= {c.path for c in calls if not c.described.neuron.graded}
    waiting = list(kept)
    by_path = {c.path: c for c in calls}
    while waiting:
        node = by_path.get(waiting.pop())
        found = {t.source for e in node.currents for t in e.terms} - kept if node else set()
        kept |= found
        waiting += found
    return tuple(c for c in calls if c.path in kept)


def _integrators(calls: tuple[Calls, ...]) -> set[str]:
    return {c.path for c in calls if not c.described.neuron.spiking}


def _require_plain(model: nn.Module) -> None:
    """Raise for modules that cannot be compiled and for parameters that are not float32."""
    inside = {part for module in model.modules() if any(a.knows(module) for a in adapters())
              for part in module.modules()}
    for path, module in model.named_modules():
        for adapter in adapters():
            adapter.refuse(path or "model", module)
        if isinstance(module, nn.RNNBase) and module not in inside:
            raise UnsupportedLayerError(f"{path or 'model'} ({type(module).__name__})",
                                        "it carries states that are no neuron's", ACCEPTED)
    for path, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.device.type != "cpu":
            raise TraceError(path, f"it lies on {tensor.device}", "Call model.cpu() first.")
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise TraceError(path, f"it is {tensor.dtype}", "Call model.float() first.")


def _naming(model: nn.Module) -> Callable[[str], str]:
    kinds = {path: type(module).__name__.lower() for path, module in model.named_modules()}

    def name(path: str) -> str:
        """The path, with the class before a bare number: "3" -> "leaky_3", "3_2" -> "relu_3_2"."""
        before, _, last = path.rpartition(".")
        number = last.partition("_")[0]
        if number.isdigit():
            module = f"{before}.{number}" if before else number
            last = f"{kinds.get(module, 'layer')}_{last}"
        return f"{before}.{last}" if before else last

    return name


def _node(calls: Calls, naming: Callable[[str], str], steps: int) -> Node:
    described = calls.described
    return Node(
        name=naming(calls.path), shape=calls.shape, loop=described.loop, bias=described.bias,
        neuron=with_initial(calls.path, described.neuron, calls.initial),
        currents=tuple(calls.currents) * (steps if calls.static else 1),
    )


def _network(
    reading: Reading, nodes: tuple[Node, ...], calls: tuple[Calls, ...], ends: Readout,
    naming: Callable[[str], str], notes: tuple[str, ...],
) -> Network:
    port = INPUT if all(node.name != INPUT for node in nodes) else f"{INPUT}_port"
    names = {c.path: naming(c.path) for c in calls} | {INPUT: port}
    shapes = {c.path: c.shape for c in calls} | {INPUT: reading.shape}
    folded = [fold(node, names, shapes, _integrators(calls)) for node in nodes]
    populations = tuple(population for population, _ in folded)
    projections = tuple(p for _, projections in folded for p in projections)
    if _steps(reading) is None:
        _require_steps(reading, projections)
    dt, told = _time_step(calls)
    return Network(
        inputs=(Input(name=port, shape=reading.shape),), dt=dt,
        populations=populations,
        projections=projections,
        outputs=ends.outputs, steps=_steps(reading), static=reading.static,
        notes=(*notes, *ends.notes, *told, *reading.session.recorder.told),
    )


def _require_steps(reading: Reading, projections: tuple[Projection, ...]) -> None:
    """Raise where a run of more steps than the sample has could give other connections."""
    if reading.steps == 1:
        raise TraceError("sample", "its one step does not show what the model carries from step to "
                         "step", "Give a sample of more steps.")
    for p in projections:
        if p.delay == reading.steps - 1:
            raise TraceError(
                p.target, f"in the last of {reading.steps} steps it takes what {p.source} gave in "
                "the first, and may take more of it in a longer run",
                "Give a sample of more steps than the model looks back.")


def _time_step(calls: tuple[Calls, ...]) -> tuple[float | None, tuple[str, ...]]:
    """The one dt of the neurons that say one, or a note that they differ."""
    said = {c.dt: c.path for c in calls if c.dt is not None}
    if len(said) < 2:
        return next(iter(said), None), ()
    each = ", ".join(f"{dt:g} s ({path})" for dt, path in said.items())
    return None, (f"the neurons' time steps differ: {each}",)


def _steps(reading: Reading) -> int | None:
    return reading.steps if reading.own or reading.static else None


def _record(calls: Calls, kept: slice, steps: int, neuron: Neuron) -> dict[str, Array]:
    """What `calls` gave; an integrator whose membrane travels sends that."""
    times = steps if calls.static else 1
    records = {variable: np.stack(values * times, axis=1)[kept].astype(np.float32)
               for variable, values in calls.records.items()}
    sent = records["v"] if "spikes" not in records and neuron.graded else np.zeros_like(
        next(iter(records.values())))
    return {"spikes": sent, **records}

