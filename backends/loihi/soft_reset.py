"""Loihi 1's soft reset: a neuron of two compartments that takes from itself through a synapse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import scipy.sparse
from nmcompile_backends.loihi.arithmetic import (
    DECAY_BITS,
    STATE_BITS,
    STATE_SHIFT,
    LoihiNeuron,
)

from nmcompile.arithmetic.fixed_point import scale_toward_zero, wrap
from nmcompile.errors import RegisterError
from nmcompile.ir import Population, Projection, SynapseFormat
from nmcompile.ir.maps import from_matrix
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

MANTISSA_LIMIT = 255  # of an inhibitory weight (NxTF dnn_layers.py, `weightMantSR`)
EXPONENT_LIMIT = 7  # (same, `weightExpSR`)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiSoftReset:
    """A soft reset of two compartments, as NxTF builds it (Rueckauer et al., arXiv 2101.04261).

        dendrite  u = wrap24((q - (reset_mantissa << reset_exponent) * fired) << 6)
                  v = clip24(v * (4096 - dv) / 4096 + u + (bias_mantissa << bias_exponent))
        soma      takes v in the same step where v > threshold << 6, fires, and is cleared

    `fired` is the soma's spike of the step before, which a synapse brings back to the dendrite.
    The dendrite never fires and keeps nothing of u, so that the synapse takes its weight once.
    `parts` says what is on the chip: the two compartments, and that synapse.

    Intel's code of NxTF gives the registers of both compartments, the synapse and its weight
    (intel-nrc-ecosystem/models, nxsdk_modules_ncl/dnn/src/dnn_mapper.py and dnn_layers.py). That
    the soma sees v of the same step, and that its join (number 6) gives it v, is our reading.

    dv, threshold, bias_mantissa, bias_exponent, v_init  as of LoihiNeuron
    reset_mantissa  0..255, reset_exponent 0..7
    """

    kind: ClassVar[str] = "loihi-soft-reset"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    dv: Array
    threshold: Array
    bias_mantissa: Array
    reset_mantissa: Array
    reset_exponent: int = 0
    bias_exponent: int = 0
    v_init: Array = field(default_factory=lambda: np.zeros((), np.int32))

    @property
    def joined(self) -> LoihiNeuron:
        """Dendrite and soma without the synapse: a neuron that fires and keeps its membrane."""
        return LoihiNeuron(
            du=np.full((), 4095, np.int32), dv=self.dv, threshold=self.threshold,
            bias_mantissa=self.bias_mantissa, bias_exponent=self.bias_exponent,
            reset=Reset.NONE, v_init=self.v_init, compartments=2)

    @property
    def level(self) -> Array:
        """The v above which it fires."""
        return self.threshold.astype(np.int64) << STATE_SHIFT

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        self.joined.verify(name, shape)
        mantissa = self.reset_mantissa
        require_shape(name, "reset_mantissa", mantissa, shape)
        outside = np.any(mantissa < 0) or np.any(mantissa > MANTISSA_LIMIT)
        if mantissa.dtype.kind != "i" or outside or not 0 <= self.reset_exponent <= EXPONENT_LIMIT:
            raise RegisterError(
                name, f"its reset takes {mantissa.min()} to {mantissa.max()} times "
                f"2**{self.reset_exponent}, a synapse of Loihi integers of 0 to {MANTISSA_LIMIT} "
                f"times 2**0 to 2**{EXPONENT_LIMIT}")

    def parts(self, population: Population) -> tuple[Population, Projection]:
        """The population of compartments, and the synapse of each of its neurons to itself."""
        n = population.size
        each = np.broadcast_to(-self.reset_mantissa, population.shape).reshape(-1)
        weights = scipy.sparse.csr_array((each, (np.arange(n), np.arange(n))), shape=(n, n))
        name = population.name
        return replace(population, neuron=self.joined), Projection(
            source=name, target=name, delay=1,
            map=from_matrix(weights.astype(np.int16), population.shape, population.shape),
            format=SynapseFormat(bits=8, exponent=self.reset_exponent, sign="inhibitory"))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0; no spike went before it."""
        state = self.joined.initial_state(shape)
        return {"u": state["u"], "v": state["v"], "fired": np.zeros(shape, np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step of both compartments in readable numpy; `current` is q."""
        u = wrap(self._arrived(state, current) << STATE_SHIFT, STATE_BITS)
        v = np.clip(self._membrane(state, u), *self.joined.v_limits)
        fired = (v > self.threshold.astype(np.int64) << STATE_SHIFT).astype(np.int32)
        return {"u": u.astype(np.int32), "v": v.astype(np.int32), "fired": fired}, fired

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step with q `current` wraps u or saturates v, by the name of the state."""
        whole = self._arrived(state, current) << STATE_SHIFT
        u, (low, high) = wrap(whole, STATE_BITS), self.joined.v_limits
        v = self._membrane(state, u)
        return {"u": u != whole, "v": (v < low) | (v > high)}

    def _arrived(self, state: State, current: Array) -> Array:
        taken = self.reset_mantissa.astype(np.int64) << self.reset_exponent
        return current.astype(np.int64) - taken * state["fired"]

    def _membrane(self, state: State, u: Array) -> Array:
        kept = scale_toward_zero(state["v"], 4096 - self.dv.astype(np.int64), DECAY_BITS)
        return kept + u + (self.bias_mantissa.astype(np.int64) << self.bias_exponent)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        dendrite = self.joined.stepper(shape)
        taken = np.broadcast_to(self.reset_mantissa << self.reset_exponent, shape).reshape(-1)

        def step(state: State, current: Array, spikes: Array) -> None:
            unheld = {"u": state["u"], "v": state["v"], "hold": np.zeros_like(state["u"])}
            for arrived, fired in zip(current, spikes, strict=True):
                dendrite(unheld, (arrived - taken * state["fired"])[None], fired[None])
                state["fired"][:] = fired

        return step
