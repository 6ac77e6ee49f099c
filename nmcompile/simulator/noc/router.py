"""The pipeline of a router: how many cycles each of its stages takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from nmcompile.errors import MeshError, unknown_name

LONGEST_DELAY = 1000  # cycles; no stage of a router is near it


@dataclass(frozen=True, kw_only=True)
class Router:
    """An input-queued router with one virtual channel and packets of one flit.

    A packet is buffered at its input, routed, wins its output (a virtual channel, which it owns
    until it has left), wins the switch, crosses it, and takes the link; the place that it leaves is
    given back as a credit. Both allocations are separable and start at the inputs, with an arbiter
    for each output whose turn moves behind the input that it granted.

    buffer       packets that each input holds; the cores behind the router take as many
    routing      cycles until the output is known; 0 if it was looked up a router ahead
    output       cycles that the allocation of outputs (of virtual channels) takes, 1 at least
    switch       cycles that the allocation of the switch takes, 1 at least
    speculative  a packet asks for the switch while it asks for its output, if there is room behind
    traversal    cycles through the switch, 1 at least
    link         cycles on the links between routers of a chip, 1 at least; to and from cores 1
    credit       cycles that a router needs to count a credit that has arrived
    """

    buffer: int = 8
    routing: int = 0
    output: int = 1
    switch: int = 1
    speculative: bool = True
    traversal: int = 1
    link: int = 1
    credit: int = 1

    def verify(self, where: str) -> None:
        """Raise NmcError where a delay or the depth of the buffers is out of range."""
        least = {"buffer": 1, "routing": 0, "output": 1, "switch": 1, "traversal": 1, "link": 1,
                 "credit": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if not low <= value <= LONGEST_DELAY:
                unit = "packets" if name == "buffer" else "cycles"
                raise MeshError(where, f"{name} is {value} {unit}, expected {low} to "
                                f"{LONGEST_DELAY}")
        if self.speculative not in (0, 1):
            raise MeshError(where, f"speculative is {self.speculative}, expected 0 or 1")
        if self.speculative and self.output != 1:
            raise MeshError(where, f"a speculative router has output={self.output}, expected 1",
                            "Give speculative=0 as well.")

    @property
    def cycles(self) -> int:
        """Cycles that a router takes from a packet's arrival to its link if nothing is in the way.

        The last allocation takes effect in the cycle in which it ends, so it counts one less.
        """
        allocation = self.switch if self.speculative else self.output + self.switch
        return self.routing + allocation + self.traversal


# A: BookSim 2's input-queued router with routing_delay = 0, speculative = 1, credit_delay = 1.
PIPELINES = {"A": Router()}


def parse_router(text: str, *, buffer: int, where: str) -> Router:
    """The router that `text` says, a pipeline and changes to it: `A`, or `A,routing=1,link=2`.

    `buffer` packets fit each input. Raises NmcError for unknown names, for what is no number, and
    for delays out of range.
    """
    name, *changes = (part.strip() for part in text.split(","))
    if name not in PIPELINES:
        raise unknown_name(where, name, PIPELINES)
    delays = [field.name for field in fields(Router) if field.name != "buffer"]
    values: dict[str, Any] = {}
    for change in changes:
        delay, _, value = (part.strip() for part in change.partition("="))
        if delay not in delays:
            raise unknown_name(where, delay, delays)
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise MeshError(where, f"'{change}' sets no number of cycles", "Give routing=1.")
        values[delay] = int(value)
    router = replace(PIPELINES[name], buffer=buffer, **values)
    router.verify(where)
    return router
