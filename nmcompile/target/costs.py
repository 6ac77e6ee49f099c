"""What events of a chip cost in seconds, joules and watts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from nmcompile.target.constants import Constant, Strict

MOST = 2**40  # of anything countable
Count = Annotated[int, Field(ge=1, le=MOST)]
Cost = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]  # of one event


class Times(Strict):
    """Seconds of one event.

    barrier     list of [active tiles, seconds], interpolated
    tick        from one step to the next where a timer starts them, whatever the work
    sequential  whether a core sends and receives one after the other, not at once
    """

    neuron_update: Constant[Cost]
    spike_out: Constant[Cost]
    packet_out: Constant[Cost]
    packet_in: Constant[Cost]
    synaptic_event: Constant[Cost]
    hop_x: Constant[Cost]
    hop_y: Constant[Cost]
    hop_chip: Constant[Cost]
    barrier: Constant[list[tuple[Count, Cost]]]
    tick: Constant[Cost] | None = None
    sequential: Constant[bool] | None = None


class Energies(Strict):
    """Joules of one event.

    neuron_idle  of a step in which a neuron's states are and stay 0, in place of `neuron_update`
    """

    neuron_update: Constant[Cost]
    spike_out: Constant[Cost]
    packet_out: Constant[Cost]
    packet_in: Constant[Cost]
    synaptic_event: Constant[Cost]
    hop_x: Constant[Cost]
    hop_y: Constant[Cost]
    hop_chip: Constant[Cost]
    neuron_idle: Constant[Cost] | None = None


class Power(Strict):
    """Watts that flow whatever happens, for each powered chip."""

    static: Constant[Cost]


def _nothing(unit: str) -> Any:
    return Constant[float](value=0.0, unit=unit, kind="estimate", source="no source states it")


EVENTS = ("neuron_update", "spike_out", "packet_out", "packet_in", "synaptic_event", "hop_x",
          "hop_y", "hop_chip")
# In place of what is not known, where events are counted
NO_TIMES = Times(**dict.fromkeys(EVENTS, _nothing("s")), barrier=Constant[list[tuple[int, float]]](
    value=[(1, 0.0)], unit="[tiles, s]", kind="estimate", source="no source states it"))
NO_ENERGIES = Energies(**dict.fromkeys(EVENTS, _nothing("J")))
NO_POWER = Power(static=_nothing("W"))
