"""Which neurons are Xylo's hidden neurons and outputs, in which order, and whether they fit."""

from __future__ import annotations

import numpy as np

from nmcompile.errors import BoardLimitError, ChipOutputError, ChipTopologyError, TargetError
from nmcompile.ir import Network, Population
from nmcompile.target import Target
from nmcompile.target.constants import Constant
from nmcompile.target.schema import Ends


def output_names(network: Network) -> tuple[str, ...]:
    """Populations that become outputs: those that nothing listens to.

    Raises NmcError where the network decides by others, or an output has no hidden neurons ahead.
    """
    sources = {p.source for p in network.projections}
    names = tuple(p.name for p in network.populations if p.name not in sources)
    for port in network.outputs[:1]:
        if port.population not in names:
            raise ChipOutputError(
                port.population, "the model returns it first and feeds it onward; "
                "Xylo's outputs feed nothing", "Return the last layer first.")
    ports = {port.name for port in network.inputs}
    for link in network.projections:
        if link.target in names and link.source in ports:
            raise ChipTopologyError(link.name, "inputs reach only hidden neurons on Xylo",
                                    "Put a layer of neurons between them.")
    return names


def hidden_populations(network: Network, outputs: tuple[str, ...]) -> tuple[Population, ...]:
    """Populations that become hidden neurons; they are numbered in this order."""
    return tuple(p for p in network.populations if p.name not in outputs)


def ends_of(target: Target) -> Ends:
    """The [ends] table of `target`, which every Xylo has."""
    if target.ends is None:
        raise TargetError(target.name, "has no [ends] table, which targets of family xylo need",
                          "Copy it from a target of this family, such as xylo_a2.")
    return target.ends


def require_fit(network: Network, outputs: tuple[str, ...], target: Target) -> None:
    """Raise NmcError naming what the network has more of than `target`."""
    ends, hidden = ends_of(target), hidden_populations(network, outputs)
    ports = {port.name for port in network.inputs}
    ordered = [p.name for p in hidden]
    last = {p.name: int(end) for p, end in zip(
        hidden, np.cumsum([p.size for p in hidden]), strict=True)}
    first = {p.name: last[p.name] - p.size for p in hidden}
    reached = [last[p.target] for p in network.projections
               if p.source in ports and p.target in last]
    listened = [first[p.source] for p in network.projections
                if p.target in outputs and p.source in first]
    n_hidden = sum(p.size for p in hidden)
    recurrent = sum(int(np.count_nonzero(p.map.weights())) for p in network.projections
                    if p.source in ordered and p.target in ordered)
    needs: list[tuple[str, int, int, Constant[int]]] = [
        ("input channels", sum(port.size for port in network.inputs),
         ends.input_channels.value, ends.input_channels),
        ("hidden neurons", n_hidden, target.core.neurons.value - ends.output_neurons.value,
         target.core.neurons),
        ("output neurons", sum(network.population(name).size for name in outputs),
         ends.output_neurons.value, ends.output_neurons),
        ("hidden neurons up to the last that inputs reach", max(reached, default=0),
         ends.input_targets.value, ends.input_targets),
        ("hidden neurons from the first that outputs listen to",
         n_hidden - min(listened, default=n_hidden), ends.output_sources.value,
         ends.output_sources),
        ("weights between hidden neurons", recurrent, ends.recurrent_synapses.value,
         ends.recurrent_synapses),
    ]
    for what, need, allowed, constant in needs:
        if need > allowed:
            hint = ("Give it data of fewer channels." if constant is ends.input_channels
                    else "Make its layers smaller.")
            raise BoardLimitError(
                "network", f"needs {need:,} {what}, {target.name} has {allowed:,} "
                f"({constant.kind})", hint)
