"""Two recordings held against each other, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.validation.distances import distances
from nmcompile.validation.evidence import Records

SPIKES = "spikes"
DISTANCES = ("count", "van_rossum", "victor_purpura")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """tau: van Rossum's time constant in steps; cost: Victor and Purpura's q for each step."""

    tau: float = 10.0
    cost: float = 0.1


@dataclass(kw_only=True, eq=False)
class Totals:
    """Figures of one population over all batches so far.

    sums, largest  of the distances of trains, by name
    states         variable -> values that differ, values in all, largest difference
    """

    reference: int = 0
    device: int = 0
    differing: int = 0
    either: int = 0
    trains: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DISTANCES, 0.0))
    largest: dict[str, float] = field(default_factory=lambda: dict.fromkeys(DISTANCES, 0.0))
    states: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def add_spikes(self, wanted: Array, found: Array, metric: Metric, graded: bool) -> None:
        """Add the spikes (samples, steps, n) of a batch."""
        self.reference += int(np.count_nonzero(wanted) if graded else wanted.sum())
        self.device += int(np.count_nonzero(found) if graded else found.sum())
        self.differing += int(np.count_nonzero(wanted != found))
        self.either += int(np.count_nonzero((wanted != 0) | (found != 0)))
        far = distances(wanted, found, tau=metric.tau, cost=metric.cost, graded=graded)
        self.trains += far.trains
        for name in DISTANCES:
            values = getattr(far, name)
            self.sums[name] += float(values.sum())
            self.largest[name] = max(self.largest[name], float(values.max(initial=0.0)))

    def add_state(self, variable: str, wanted: Array, found: Array) -> None:
        """Add the values (samples, steps, n) of a state in a batch."""
        differing, of, largest = self.states.get(variable, (0, 0, 0.0))
        apart = np.abs(found.astype(np.float64) - wanted)
        self.states[variable] = (
            differing + int(np.count_nonzero(apart)), of + apart.size,
            max(largest, float(apart.max(initial=0.0))))

    def figures(self, name: str) -> dict[str, Any]:
        """As plain data; distances are means of all trains and of the largest one.

        Figures of spikes are None where the device tells of states alone.
        """
        spikes = {
            "spikes_reference": self.reference, "spikes_device": self.device,
            "differing": self.differing,
            "share": self.differing / self.either if self.either else 0.0,
            **{distance: {"mean": self.sums[distance] / max(1, self.trains),
                          "largest": self.largest[distance]} for distance in DISTANCES}}
        return {
            "name": name, **(spikes if self.trains else dict.fromkeys(spikes)),
            "states": {variable: {"differing": differing, "values": of, "largest": largest}
                       for variable, (differing, of, largest) in self.states.items()},
        }


class Comparison:
    """The figures of all populations that a device tells of.

    states  whether states of the reference are in the device's units
    """

    def __init__(self, network: Network, metric: Metric, states: bool) -> None:
        self._network, self._metric, self._states = network, metric, states
        self.totals: dict[str, Totals] = {}

    def add(self, wanted: Records, found: Records) -> None:
        """Add a batch, (samples, steps, n) each."""
        for name, variables in found.items():
            if name not in wanted:
                continue
            totals = self.totals.setdefault(name, Totals())
            graded = self._network.population(name).neuron.graded
            for variable, values in variables.items():
                if variable == SPIKES:
                    totals.add_spikes(wanted[name][SPIKES], values, self._metric, graded)
                elif self._states:
                    totals.add_state(variable, wanted[name][variable], values)

    def figures(self) -> list[dict[str, Any]]:
        """A row for each population, in the network's order."""
        return [self.totals[p.name].figures(p.name) for p in self._network.populations
                if p.name in self.totals]
