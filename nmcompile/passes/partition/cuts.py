"""What one more cut of a box would bring."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.boxes import SENT, Boxes, Split
from nmcompile.passes.partition.events import Part
from nmcompile.passes.partition.product import power

PLACES = 16  # where an axis is cut at most
COLDEST = 12  # cores that a part may move to
Halves = tuple[Part, Part]


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """All cuts of one box that are looked at, and their halves without the packets that they send.

    own    (steps,) what the box spends in sending but for packets, in microseconds
    fired  (steps,) its spikes
    """

    splits: list[Split]
    first: Part
    second: Part
    own: Array
    fired: Array


class Cuts:
    """All cuts in two of the boxes in `boxes`; a cut is named by its box and its number there."""

    def __init__(self, boxes: Boxes) -> None:
        self.boxes = boxes
        self._looked: dict[tuple[int, ...], Looked] = {}

    def apply(self, split: Split) -> None:
        """Make a cut."""
        self._looked.pop(self._key(split.box), None)
        self.boxes.apply(split)

    def of(self, box: int) -> list[Split]:
        """All cuts of a box that are looked at."""
        return self._look(box).splits

    def parts(self, box: int) -> Array:
        """(k,) boxes to which each cut leads, by how far its halves exceed the limits of a core."""
        looked = self._look(box)
        first, second = (np.ceil((half.needs / self.boxes.limits).max(axis=1))
                         for half in (looked.first, looked.second))
        return np.asarray(first + second)

    def products(self, box: int) -> Array:
        """(k,) energy times delay after each cut, its second half on a core of its own."""
        looked = self._look(box)
        first, second = self._sending(box, looked.first, looked.second)
        load = self._remaining(box, first) + power(_busy(second))
        return self.boxes.cost.of(load, self._packets(box, first, second), self.boxes.n_cores() + 1)

    def blocked(self, box: int, number: int) -> Array:
        """Cores that lack axons for the halves, to them or from them."""
        looked = self._look(box)
        first, second = looked.first.row(number), looked.second.row(number)
        return self.boxes.short_of_axons(box, first, second)

    def homes(self, box: int, number: int) -> list[tuple[int, float]]:
        """Cores for the second half, -1 being a new one, each with energy times delay then."""
        boxes, (first, second) = self.boxes, self._row(box, number)
        packets, load = self._packets(box, first, second), self._remaining(box, first)
        if not boxes.is_full():
            product = boxes.cost.of(load + power(_busy(second)), packets, boxes.n_cores() + 1)
            return [(-1, float(product[0]))]
        cold = boxes.roomy(second.needs[0], second.asked[0], int(boxes.core[box]))[:COLDEST]
        if not len(cold):
            return []
        load = load - boxes.powers[cold] + power(boxes.busy[cold] + _busy(second))
        products = boxes.cost.of(load, packets, boxes.n_cores())
        return list(zip(cold.tolist(), products.tolist(), strict=True))

    def _row(self, box: int, number: int) -> Halves:
        """The halves of one cut, with all axons of the second as boxes are cut now."""
        looked = self._look(box)
        first, second = self._sending(box, looked.first.row(number), looked.second.row(number))
        second.needs[:] = self.boxes.part(box, second.low, second.high).needs
        second.needs[0, SENT] = self.boxes.axons_out(box, second.low, second.high)
        return first, second

    def _look(self, box: int) -> Looked:
        boxes, key = self.boxes, self._key(box)
        if key not in self._looked:
            splits = _splits(box, boxes.low[box], boxes.high[box])
            low, high = (np.repeat(side[[box]], len(splits), 0) for side in (boxes.low, boxes.high))
            after, before = low.copy(), high.copy()
            rows, axes = np.arange(len(splits)), [split.axis for split in splits]
            after[rows, axes] = before[rows, axes] = [split.at for split in splits]
            whole = boxes.part(box, boxes.low[[box]], boxes.high[[box]])
            self._looked[key] = Looked(
                splits=splits, first=boxes.part(box, low, before),
                second=boxes.part(box, after, high), own=whole.sending[0], fired=whole.fired[0])
        return self._looked[key]

    def _sending(self, box: int, first: Part, second: Part) -> Halves:
        """Halves of a box with the packets that it sends, shared out by their spikes."""
        looked = self._look(box)
        each = (self.boxes.sending[box] - looked.own) / np.maximum(looked.fired, 1.0)
        return (replace(first, sending=first.sending + each * first.fired),
                replace(second, sending=second.sending + each * second.fired))

    def _key(self, box: int) -> tuple[int, ...]:
        boxes = self.boxes
        return (int(boxes.population[box]), *boxes.low[box].tolist(), *boxes.high[box].tolist())

    def _remaining(self, box: int, first: Part) -> Array:
        """(k, steps) powers of all cores if only the first half stayed on the core of a box."""
        boxes, own = self.boxes, int(self.boxes.core[box])
        others = np.maximum(boxes.total - boxes.powers[own], 0.0)
        without = boxes.busy[own] - np.stack([boxes.sending[box], boxes.receiving[box]])
        return others + power(np.maximum(without, 0.0) + _busy(first))

    def _packets(self, box: int, first: Part, second: Part) -> Array:
        """(k,) packets in all steps after the cuts."""
        boxes = self.boxes
        return np.asarray(boxes.packets.sum() + first.packets + second.packets - boxes.packets[box])


def _busy(part: Part) -> Array:
    """(k, 2, steps) what boxes keep a core busy with."""
    return np.stack([part.sending, part.receiving], axis=1)


def _splits(box: int, low: Array, high: Array) -> list[Split]:
    found = []
    for axis in range(3):
        first, last = int(low[axis]), int(high[axis])
        places = np.linspace(first, last, min(last - first, PLACES) + 1).round()[1:-1]
        found += [Split(box=box, axis=axis, at=int(at)) for at in places]
    return found
