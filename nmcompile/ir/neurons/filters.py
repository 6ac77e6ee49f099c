"""Integrators whose membrane travels on: filters between layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.lif import LI, CubaLI


@dataclass(frozen=True, kw_only=True, eq=False)
class Filter(LI):
    """A leaky integrator that sends its membrane in each step; fields as in LI."""

    kind: ClassVar[str] = "filter"
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        after, _ = super().step(state, current)
        return after, after["v"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaFilter(CubaLI):
    """An integrator of a synaptic current that sends its membrane; fields as in CubaLI."""

    kind: ClassVar[str] = "cuba-filter"
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        after, _ = super().step(state, current)
        return after, after["v"]
