"""How far a replay is from what a trace tells of the same packets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.simulator.noc.replay import Replay
from nmcompile.simulator.noc.trace import Trace

CLOSE = 2  # cycles


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Ours against theirs, for the columns that the trace has; the others are None.

    mean_latency_cycles  from creation to arrival, theirs
    latency_error        ours over theirs, less 1
    arrived_close        share of packets that arrive within CLOSE cycles of theirs
    arrived_equal        share of packets that arrive in the same cycle
    arrived_most_cycles  between our arrival of a packet and theirs, at most
    injected_equal       share of packets injected in the same cycle
    routers_equal        share of packets that pass as many routers
    """

    mean_latency_cycles: float | None
    latency_error: float | None
    arrived_close: float | None
    arrived_equal: float | None
    arrived_most_cycles: int | None
    injected_equal: float | None
    routers_equal: float | None


def difference(trace: Trace, replay: Replay) -> Difference | None:
    """The difference of `replay` from what `trace` records; None if it records nothing."""
    if not trace.recorded:
        return None
    theirs = trace.recorded.get("arrived")
    apart = mean = None
    if theirs is not None:
        apart = np.abs(replay.arrived - theirs)
        mean = float(np.mean(theirs - trace.created))
    ours = float(np.mean(replay.arrived - trace.created))
    return Difference(
        mean_latency_cycles=mean,
        latency_error=ours / mean - 1 if mean else None,
        arrived_close=None if apart is None else float(np.mean(apart <= CLOSE)),
        arrived_equal=None if apart is None else float(np.mean(apart == 0)),
        arrived_most_cycles=None if apart is None else int(np.max(apart)),
        injected_equal=_equal(trace.recorded.get("injected"), replay.injected),
        routers_equal=_equal(trace.recorded.get("routers"), replay.routers),
    )


def _equal(theirs: np.ndarray | None, ours: np.ndarray) -> float | None:
    return None if theirs is None else float(np.mean(theirs == ours))
