"""Our own simulator as a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nmcompile.device import Place, Ran, Recording, Standing, Wanted
from nmcompile.errors import OptionError, unknown_name
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.simulator.records import variables_of
from nmcompile.simulator.stepwise import Stepwise


class SimDevice:
    """Runs what is loaded in the simulator: all can be read, nothing is measured."""

    name = "sim"

    def __init__(self) -> None:
        self._program: Program | None = None
        self._sample: Stepwise | None = None

    def open(self, place: Place) -> None:
        """Nothing to connect to; raises NmcError for an address or an option."""
        if place.address:
            raise OptionError("--device sim", f"has no address, got '{place.address}'")
        for option in place.options:
            raise unknown_name("--device-option of sim", option, ())

    def look(self) -> Standing:
        """See `Sought`."""
        return Standing(state="works", told="nmcompile's own simulator")

    def load(self, program: Program, config: Path) -> None:
        """Take the program itself."""
        self._program, self._sample = program, None

    def readable(self) -> Wanted:
        """Spikes and states of every population."""
        return {p.name: variables_of(p) for p in self._loaded().network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples from a reset chip; raises NmcError where the records exceed the memory."""
        found = simulate(self._loaded(), inputs, record=wanted, progress=ran)
        return Recording(variables=found.records)

    def begin(self) -> None:
        """See `Stepping`."""
        if self._sample is None:
            program = self._loaded()
            self._sample = Stepwise(program, backend(program.target.family).timing(program))
        else:
            self._sample.begin()

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `Stepping`."""
        assert self._sample is not None
        return self._sample.step(inputs)

    def close(self) -> None:
        """Let go of the program."""
        self._program = self._sample = None

    def _loaded(self) -> Program:
        assert self._program is not None
        return self._program
