"""Give every projection the delay of at least one step that a synapse takes on the chip."""

from __future__ import annotations

from dataclasses import replace

from nmcompile.errors import ChipTopologyError
from nmcompile.ir import Network

Latency = dict[str, int]


def retime(network: Network, max_delay: int) -> tuple[Network, Latency]:
    """`network` in which layers work one behind the other, and each population's lag in steps.

    A population of lag L computes in step t + L what the network computed in step t, and holds
    its state before step L. With lags of inputs 0, a projection of delay d gets the delay
    d + lag(target) - lag(source); the lags are the smallest that make each of them at least 1
    (longest paths, by relaxation). Raises NmcError where a loop is too short for that, or a delay
    exceeds `max_delay`.
    """
    lag = _lags(network)
    projections = tuple(
        replace(p, delay=p.delay + lag[p.target] - lag[p.source]) for p in network.projections
    )
    for projection in projections:
        if projection.delay > max_delay:
            raise ChipTopologyError(
                projection.name,
                f"needs a delay of {projection.delay} steps, the chip has at most {max_delay}",
                "Shorten the delay or the path that runs beside it.",
            )
    populations = tuple(replace(p, start=lag[p.name]) for p in network.populations)
    return replace(network, populations=populations, projections=projections), lag


def _lags(network: Network) -> Latency:
    lag = {node.name: 0 for node in network.nodes}
    for _ in range(len(lag) + 1):
        changed = [p for p in network.projections if p.delay + lag[p.target] - lag[p.source] < 1]
        if not changed:
            return lag
        for p in changed:
            lag[p.target] = max(lag[p.target], lag[p.source] + 1 - p.delay)
    inputs = {port.name for port in network.inputs}
    names = sorted({end for p in changed for end in (p.source, p.target)} - inputs)
    raise ChipTopologyError(
        "network",
        f"the loop through {', '.join(names)} takes fewer steps than it has "
        "connections, and on the chip each connection takes one",
        "Give the recurrent connection a longer delay.",
    )
