"""The activation of Akida v1's layers in integers: its registers, its readable step, its kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

# akida 2.19.3's software backend, measured: an act_step of s acts as floor(16 * s) / 16, below 1/16
# it says "act_step, it should be equal or greater than 1/16"
STEP_UNIT = 16
# Mapping onto akida 2.19.3's AKD1000(), measured. Of an act_step: 65535 15/16 maps, 65536 "should
# be between 0 and 65535"; in the input layer 1048575 15/16 and 1048576 are those
STEP_LIMIT, INPUT_STEP_LIMIT = 2**20 - 1, 2**24 - 1
# The same: a threshold of 524288 "cannot fit in a 20-bit signed integer", -524288 does; in the
# input layer it is 24 bits. Sums of FullyConnected layers and of averages end at 20 bits in both
HALF, INPUT_HALF = 2**19, 2**23
ACT_BITS = (1, 2, 4)  # akida/layers/fully_connected.py: inputs of 1, 2 or 4 bits
SUMS = -1  # stands for the largest value that is sent where sums are
MOST_POOLED = 2**16  # places of one window; a window covers a whole image at most


@dataclass(frozen=True, kw_only=True, eq=False)
class AkidaNeuron:
    """What an Akida v1 layer does with a sum: nothing is kept, a graded value is sent.

        v = max(i_1, ..., i_pool)
        v = clip20(... clip20(clip20(i_1) + i_2) ... + i_pool)      where it `adds`
        level = act_step * 2**(4 - act_bits) / 16
        sent = clip(ceil((v - threshold) / level), 0, 2**act_bits - 1)
        sent = v                                    without activation

    Equal to akida 2.19.3's software backend, measured: fewer bits are wider levels of one step, an
    average adds the sums of all places without a division, and only sums that are added so, and
    those of a FullyConnected layer, stay within 20 bits.

    threshold   -2**19..2**19 - 1, of 24 bits where it is `at_input`
    act_step    1..2**20 - 1 sixteenths, as the register holds them; 24 bits `at_input`
    act_bits    1, 2 or 4
    pool        inputs of a neuron, the places of its window; an axis in front of the population's
    adds        whether they are added, in their order, or the largest counts
    activation  false where the layer gives its sums, without threshold
    sends       false where nothing takes what is sent: the sums of the last layer, which are read
    at_input    whether it is in the input layer (InputConvolutional), whose registers are wider
    """

    kind: ClassVar[str] = "akida"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    threshold: Array
    act_step: Array
    act_bits: int
    pool: int = 1
    adds: bool = False
    activation: bool = True
    sends: bool = True
    at_input: bool = False

    @property
    def currents(self) -> int:
        """Input currents of one neuron: the places that its window pools."""
        return self.pool

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        half, steps = (INPUT_HALF, INPUT_STEP_LIMIT) if self.at_input else (HALF, STEP_LIMIT)
        limits = {"threshold": (-half, half - 1), "act_step": (1, steps)}
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), Akida holds integers of {low} to {high}")
        if self.act_bits not in ACT_BITS:
            raise RegisterError(
                name, f"activations of {self.act_bits} bits, Akida v1 has 1, 2 or 4")
        if not 1 <= self.pool <= MOST_POOLED:
            raise RegisterError(
                name, f"a window of {self.pool} places, expected 1 to {MOST_POOLED}")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The sum before step 0, which nothing depends on."""
        return {"v": np.zeros(shape, np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is (samples, pool, *shape), without a pool of 1."""
        places = current.astype(np.int64)
        places = places if self.pool > 1 else places[:, None]
        v = self._added(places) if self.adds else places.max(axis=1)
        sent = self.of(v) if self.activation else v * self.sends
        return {"v": v.astype(np.int32)}, sent.astype(np.int32)

    def of(self, v: Array) -> Array:
        """What is sent for sums `v`, int64."""
        above = STEP_UNIT * (v.astype(np.int64) - self.threshold)
        level = self.act_step.astype(np.int64) << (ACT_BITS[-1] - self.act_bits)
        return np.clip(-(-above // level), 0, 2**self.act_bits - 1)

    def _added(self, places: Array) -> Array:
        v = np.zeros_like(places[:, 0])
        for place in range(self.pool):
            v = np.clip(v + places[:, place], -HALF, HALF - 1)
        return v

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.akida._arithmetic_kernels import activate

        level = self.act_step.astype(np.int64) << (ACT_BITS[-1] - self.act_bits)
        registers = tuple(np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
                          for a in (self.threshold, level))
        limit = 2**self.act_bits - 1 if self.activation else SUMS
        limit = limit if self.sends else 0

        def step(state: State, current: Array, spikes: Array) -> None:
            activate(state["v"], current, spikes, *registers, self.pool, self.adds,
                     limit)

        return step
