"""Loihi 2's graded relay: a population that sends the sum of what arrived as its payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from nmcompile_backends.loihi.sigma_delta import MESSAGE_LIMIT

from nmcompile.arithmetic.fixed_point import leaves, wrap
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper

STATE_BITS = 24  # lava-nc proc/graded/models.py, PyGradedVecModelFixed
PEAK = 2**13  # payload of the largest sum seen on calibration data; the rest of 16 bits is reserve


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiRelay:
    """Microcode of Loihi 2 without memory, as lava-nc's GradedVec with a threshold of 0.

        v = wrap24(q)        a spike with payload v where v is not 0

    `q` is the sum of weights times payloads that arrived. Lava clears v behind the spike.
    """

    kind: ClassVar[str] = "loihi-relay"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """It has no parameters."""

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Nothing has arrived."""
        return {"v": np.zeros(shape, np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        v = wrap(current.astype(np.int64), STATE_BITS).astype(np.int32)
        return {"v": v}, v

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step with q `current` wraps v, or sends more than a payload's 16 bits."""
        v, _ = self.step(state, current)
        return {"v": v["v"] != current, "message": leaves(v["v"], -MESSAGE_LIMIT, MESSAGE_LIMIT)}

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.loihi._arithmetic_kernels import pass_on

        def step(state: State, current: Array, spikes: Array) -> None:
            pass_on(state["v"], current, spikes)

        return step
