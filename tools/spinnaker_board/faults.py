"""What a bad network does to packets, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Shares of packets, each way, that are lost, come twice, or come late and out of order.

    busy    share of commands that the board answers with "busy" and does not do
    late_s  seconds that late packets and second copies wait at most
    """

    seed: int = 0
    lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    busy: float = 0.0
    late_s: float = 0.02


class Network:
    """Packets on their way: what arrives of each, and when."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._random = faults, random.Random(faults.seed)

    def delays(self) -> list[float]:
        """Seconds until each copy of a packet arrives; none if it is lost."""
        faults, copies = self._faults, []
        if self._random.random() >= faults.lost:
            copies.append(self._late() if self._random.random() < faults.late else 0.0)
        if self._random.random() < faults.twice:
            copies.append(self._late())
        return copies

    def is_busy(self) -> bool:
        """Whether the board refuses the next command."""
        return self._random.random() < self._faults.busy

    def _late(self) -> float:
        return self._random.uniform(0, self._faults.late_s)
