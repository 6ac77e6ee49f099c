"""Convert a network of activations: try several ways to choose thresholds, keep the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.ir import Network, Trace, decisions, run, verify
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.convert.balance import Progress, layer_by_layer, of_quantile
from nmcompile.passes.convert.rate import (
    Thresholds,
    rate_coded,
    require_convertible,
    unsigned,
)
from nmcompile.passes.legalize import compose

STEPS = 32
ELEMENTS = 50_000_000  # currents and spikes that a trial keeps in memory
FIXED: dict[str, float] = {"max": 1.0, "99.99": 0.9999, "99.9": 0.999, "99": 0.99}
CODES = ("rate", "sigma-delta")
BALANCES = ("auto", *FIXED, "layer-wise")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How to convert.

    code       "rate": integrate-and-fire neurons; "sigma-delta": neurons that send changes
    steps      of the spiking network for one sample, of rates
    balance    how thresholds of rates are chosen: "max" or a percentile of each activation,
               "layer-wise", or "auto", which tries all and keeps the one with the most equal
               decisions
    tolerance  of sigma-delta neurons, as `convert_to_changes` has it
    """

    code: str = CODES[0]
    steps: int = STEPS
    balance: str = "auto"
    tolerance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One choice of thresholds: share of decisions that stay, and error of the outputs.

    error  root mean square difference of the outputs over their root mean square
    """

    balance: str
    decisions_equal: float
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Converted:
    """The spiking network, the best trial first, and the decisions before and after."""

    network: Network
    trials: tuple[Trial, ...]
    before: Array
    after: Array


def convert(
    network: Network, inputs: dict[str, Array], conversion: Conversion,
    progress: Progress = lambda name: None,
) -> Converted:
    """`network`, whose neurons are activations, as integrate-and-fire neurons.

    inputs  name -> (samples, 1, *shape) values that thresholds are chosen on
    Raises NmcError where the network has other neurons beside its activations.
    """
    require_convertible(network)
    positive = verify(unsigned(compose(network)))
    few = {name: values[: _samples(positive, conversion.steps)] for name, values in inputs.items()}
    activity = run(positive, few)
    ways: dict[str, Callable[[], Thresholds]] = {
        name: lambda q=quantile: of_quantile(positive, activity, q)  # type: ignore[misc]
        for name, quantile in FIXED.items()
    }
    ways["layer-wise"] = lambda: layer_by_layer(positive, activity, few, conversion.steps, progress)
    chosen = ways if conversion.balance == "auto" else {
        conversion.balance: ways[conversion.balance]}
    tried = []
    for name, way in chosen.items():
        progress(name)
        spiking = rate_coded(positive, way(), conversion.steps)
        tried.append((*_trial(name, positive, activity, spiking, few), spiking))
    tried.sort(key=lambda t: (-t[0].decisions_equal, t[0].error))
    _, after, best = tried[0]
    note = f"converted from activations to rates over {conversion.steps} steps"
    return Converted(
        network=verify(replace(best, notes=(*best.notes, note))),
        trials=tuple(t[0] for t in tried), before=decisions(positive, activity), after=after,
    )


def _samples(network: Network, steps: int) -> int:
    largest = max(prod(node.shape) for node in network.nodes)
    every = sum(prod(node.shape) for node in network.nodes)
    return max(1, ELEMENTS // max(1, steps * (every + 3 * largest)))


def _trial(
    name: str, network: Network, activity: Trace, spiking: Network, inputs: dict[str, Array]
) -> tuple[Trial, Array]:
    assert spiking.steps is not None
    found = run(spiking, {key: np.repeat(values, spiking.steps, axis=1)
                          for key, values in inputs.items()})
    port = network.outputs[0]
    wanted = activity.records[port.population][port.variable][:, 0]
    rates = found.records[port.population][port.variable].mean(axis=1)
    if port.variable == "spikes":
        rates = rates * spiking.population(port.population).neuron.threshold  # type: ignore[attr-defined]
    before, after = decisions(network, activity), decisions(spiking, found)
    size = float(np.sqrt(np.square(wanted).mean())) or 1.0
    error = float(np.sqrt(np.square(rates - wanted).mean())) / size
    return Trial(balance=name, decisions_equal=float((before == after).mean()),
                 error=error), after
