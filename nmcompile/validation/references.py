"""What a device is held against: the simulator, the integer reference, or the float network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmcompile.build import Build, real_network
from nmcompile.encode import Encoded
from nmcompile.errors import BuildError, unknown_name
from nmcompile.ir import Network, Trace, decisions, run_aligned
from nmcompile.ir.neurons.base import Array
from nmcompile.simulator import simulate
from nmcompile.simulator.records import variables_of
from nmcompile.validation.evidence import Records

NAMES = ("sim", "integer", "float")


class Reference(Protocol):
    """What should come out.

    exact  whether it computes in the chip's own integers, so that states are the device's
    """

    @property
    def exact(self) -> bool:
        """See above."""

    @property
    def network(self) -> Network:
        """Whose populations it records."""

    def tells(self, population: str) -> bool:
        """Whether `records` has the spikes of a population that spikes."""

    def records(self, payloads: dict[str, Array], samples: slice) -> Records:
        """Spikes and states (steps, n) of samples, in the network's own time.

        payloads  input -> (samples, steps, *shape) of these samples, in the chip's integers
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compiled:
    """What a build holds in the chip's integers."""

    build: Build
    exact: bool = True

    @property
    def network(self) -> Network:
        """The compiled network."""
        return self.build.program.network

    def tells(self, population: str) -> bool:
        """See `Reference`."""
        return self.network.population(population).neuron.spiking


class Simulated(_Compiled):
    """The compiled program in the simulator."""

    def records(self, payloads: dict[str, Array], samples: slice) -> Records:
        """See `Reference`."""
        every = {p.name: variables_of(p) for p in self.network.populations}
        return flat(simulate(self.build.program, payloads, record=every).records)


class Integer(_Compiled):
    """The compiled network in the readable reference, `nmcompile.ir.run`."""

    def records(self, payloads: dict[str, Array], samples: slice) -> Records:
        """See `Reference`."""
        return flat(run_aligned(self.network, self.build.program.latency, payloads).records)


@dataclass(frozen=True, kw_only=True, eq=False)
class Real:
    """The network in real numbers that was quantized.

    inputs  what the user's data send, in real numbers
    """

    network: Network
    inputs: dict[str, Encoded]
    exact: bool = False

    def tells(self, population: str) -> bool:
        """See `Reference`; graded spikes are in other units here."""
        names = {p.name for p in self.network.populations
                 if p.neuron.spiking and not p.neuron.graded}
        return population in names

    def records(self, payloads: dict[str, Array], samples: slice) -> Records:
        """See `Reference`; spikes are whole numbers, relays and other graded ones are left out."""
        sent = {name: values[samples] for name, values in self.inputs.items()}
        found = flat(run_aligned(self.network, self.network.lags, sent).records)
        return {p.name: {**found[p.name], "spikes": np.rint(found[p.name]["spikes"]).astype(
            np.int32)} for p in self.network.populations if not p.neuron.graded}


def reference(name: str, build: Build, inputs: dict[str, Encoded]) -> Reference:
    """The reference called `name`; NmcError where the build does not hold it."""
    if name == "sim":
        return Simulated(build=build)
    if name == "integer":
        return Integer(build=build)
    if name != "float":
        raise unknown_name("--against", name, NAMES)
    real = real_network(build)
    if real is None:
        raise BuildError("--against float", "the build holds no network in real numbers",
                         "Compile the model again; of large networks it is not kept.")
    return Real(network=real, inputs=inputs)


def flat(records: dict[str, dict[str, Array]]) -> Records:
    """Records with populations in one axis."""
    return {name: {k: v.reshape(*v.shape[:2], -1) for k, v in record.items()}
            for name, record in records.items()}


def decided(network: Network, records: Records) -> Array | None:
    """(samples,) decisions; None where the first output's variable is not among `records`."""
    port = network.outputs[0]
    if port.variable not in records.get(port.population, {}):
        return None
    return decisions(network, Trace(records=records))
