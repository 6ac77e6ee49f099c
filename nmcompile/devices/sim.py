"""The device `sim`: the simulator, as if it were a board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nmcompile.device import Place, Ran, Recording, Wanted
from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator import simulate
from nmcompile.simulator.records import variables_of
from nmcompile.simulator.stepwise import Stepwise


class SimDevice:
    """Gives what the simulator gives, bit by bit, and measures nothing."""

    name = "sim"

    def __init__(self) -> None:
        self._program: Program | None = None
        self._sample: Stepwise | None = None

    def open(self, place: Place) -> None:
        """See `Device`."""
        if place.address or place.options:
            raise NmcError("device sim", "has no address and no options")

    def load(self, program: Program, config: Path) -> None:
        """See `Device`."""
        self._program, self._sample = program, None

    def readable(self) -> Wanted:
        """See `Device`."""
        assert self._program is not None
        return {p.name: variables_of(p) for p in self._program.network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """See `Device`."""
        assert self._program is not None
        record = tuple(f"{name}:{variable}" for name, kept in wanted.items() for variable in kept)
        run = simulate(self._program, inputs, record=record, progress=ran)
        return Recording(variables=run.records)

    def begin(self) -> None:
        """See `Stepping`."""
        assert self._program is not None
        if self._sample is None:
            self._sample = Stepwise(self._program)
        else:
            self._sample.begin()

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `Stepping`."""
        assert self._sample is not None
        return self._sample.step(inputs)

    def close(self) -> None:
        """See `Device`."""
        self._program = self._sample = None
