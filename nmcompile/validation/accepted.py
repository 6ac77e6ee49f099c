"""What a device gave, looked over before anything is computed from it or kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.device import Recording, Wanted
from nmcompile.errors import DeviceAnswerError, NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.validation.journal import MEASURED

SPIKES = "spikes"
MOST_SPIKES = 2**15 - 1  # of a neuron in a step: counts come from a membrane of 16 bits at most
PAYLOADS = np.iinfo(np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Terms:
    """What a recording is held to.

    wanted    what was asked for
    lengths   samples and steps
    recorded  whether a file tells it, whose chip may have run more steps than the network
    where     whose recording it is, for messages
    hint      what to do about one that is refused
    """

    network: Network
    wanted: Wanted
    lengths: tuple[int, int]
    recorded: bool
    where: str
    hint: str = ""

    def accepted(self, recording: Recording) -> Recording:
        """`recording` with its spikes as int32.

        Raises NmcError where it has other shapes than asked for, or holds what no neuron and no
        instrument gives.
        """
        variables = {
            name: {variable: self._values(name, variable, recording) for variable in names}
            for name, names in self.wanted.items()}
        for name in MEASURED:
            values = getattr(recording, name)
            if values is not None:
                self._require_measured(name, values)
        return replace(recording, variables=variables)

    def _values(self, name: str, variable: str, recording: Recording) -> Array:
        """The values of a variable of a population."""
        what = f"{name}/{variable}"
        values = recording.variables.get(name, {}).get(variable)
        full = (*self.lengths, *self.network.shape_of(name))
        if values is None or values.shape != full:
            got = "nothing" if values is None else f"shape {values.shape}"
            raise self._fault(f"gave {got} for {what}, expected {full}")
        if variable == SPIKES:
            return self._spikes(what, values, self.network.population(name).neuron.graded)
        if values.dtype.kind not in "iubf":
            raise self._fault(f"gave {what} of {values.dtype}, expected real numbers")
        if not np.isfinite(values).all():
            raise self._fault(f"gave {what} that are not finite")
        return values

    def _spikes(self, what: str, values: Array, graded: bool) -> Array:
        if values.dtype.kind not in "iub":
            raise self._fault(f"gave {what} of {values.dtype}, expected whole numbers")
        low, high = (PAYLOADS.min, PAYLOADS.max) if graded else (0, MOST_SPIKES)
        least, most = (int(values.min()), int(values.max())) if values.size else (0, 0)
        if least < low or most > high:
            raise self._fault(
                f"gave {what} from {least:,} to {most:,} in a step, expected "
                + ("payloads of 32 bits" if graded else f"numbers of spikes from 0 to {high:,}"))
        return values.astype(np.int32, copy=False)

    def _require_measured(self, name: str, values: Array) -> None:
        """Refuse seconds or joules that are none, or not of each step or sample."""
        samples, steps = self.lengths
        expected = (samples, steps) if name == "step_s" else (samples,)
        found = values.shape
        if self.recorded and name == "step_s" and len(found) == 2 and found[1] > steps:
            expected = (samples, found[1])
        if values.dtype.kind not in "iuf" or found != expected:
            raise self._fault(f"gave {name} of shape {found} and {values.dtype}, expected real "
                              f"numbers {expected}")
        if not np.isfinite(values).all() or values.min(initial=0) < 0:
            raise self._fault(f"gave {name} that are not all finite numbers of 0 or more")

    def _fault(self, what: str) -> NmcError:
        return DeviceAnswerError(self.where, what, self.hint)
