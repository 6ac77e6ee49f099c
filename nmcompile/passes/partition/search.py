"""Cut populations and share cores so that energy times the time of a step is least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import BoardLimitError, NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices
from nmcompile.passes.partition.boxes import Boxes, Split
from nmcompile.passes.partition.cuts import Cuts
from nmcompile.target import Target

GROUPS = (3, 6, 12, 24)  # the first 3 cores are looked at, then the next 3, 6, 12, and the rest
LIKELY = 2  # cuts of a box for which all places are tried
MOST = 5000  # cuts
LEAST = 3e-4  # of the product that a cut must save
UPHILL = 5e-3  # of the product that a cut may cost where it makes room for a better one


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What the search found.

    slices    not yet placed (core -1)
    together  (s,) int, slices of one number share a core
    energy_j, step_s  predicted for the mean step, without the ways of packets
    """

    slices: Slices
    together: Array
    energy_j: float
    step_s: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Cut `number` of a box, with energy times delay if its second half had a core of its own."""

    split: Split
    number: int
    product: float


def search(
    network: Network, target: Target, backend: Backend, spikes: dict[str, Array],
    cores: int | None = None, kinds: Array | None = None,
) -> Found:
    """Slices of all populations and the cores that they share, of low energy times delay.

    spikes  name of input or population -> (steps, n) what each sends in typical steps, 0: nothing
    cores   that may be used; default: all of the board
    kinds   of populations, those of unlike kind share no core; default: all are alike

    Populations are cut in two, at any row, column or channel, until all parts fit a core; of the
    cuts that lead to fewest parts the best is taken. Where that takes more cores than there are,
    those that hold up least are brought together. Then the cores that hold up most steps are cut
    further, one half moving to a core of its own or to one with room, as long as energy times
    delay falls. A step is as long as its busiest core, be it sending or receiving, and the barrier
    of the tiles in use. The maximum is smoothed to an 8-norm, so that the cut of one of many
    equally busy cores counts too. Raises NmcError where the network does not fit.
    """
    cores = target.n_cores if cores is None else cores
    alike = np.zeros(len(network.populations), np.int64)
    boxes = Boxes(network, target, backend, spikes, cores, alike if kinds is None else kinds)
    cuts = Cuts(boxes)
    while (box := boxes.misfit()) >= 0:
        cuts.apply(_economic(cuts, box))
    while boxes.n_cores() > cores:
        if not boxes.merge():
            raise _too_few(cores, target)
    while len(boxes.core) < MOST and (split := _better(cuts)) is not None:
        cuts.apply(split)
    slices, together = boxes.slices()
    return Found(slices=slices, together=together, energy_j=boxes.energy(), step_s=boxes.step())


def _economic(cuts: Cuts, box: int) -> Split:
    """The cut of a box that does not fit which leads to fewest parts, then to the least product."""
    return cuts.of(box)[int(np.lexsort((cuts.products(box), cuts.parts(box)))[0])]


def _too_few(cores: int, target: Target) -> NmcError:
    free = "" if cores == target.n_cores else "free "
    return BoardLimitError("network", f"does not fit the {cores:,} {free}cores of {target.name}",
                           "Use a target with more chips.")


def _better(cuts: Cuts) -> Split | None:
    """The best cut of the cores that hold up most, None if there is none that helps.

    Where a better one lacks output axons on cores that send to it, one of these is cut instead.
    """
    order, now = cuts.boxes.by_blame, cuts.boxes.product()
    for group in np.split(order, GROUPS):
        candidates = [c for c in _likely(cuts, group) if c.product < now * (1 - LEAST)]
        blocking = [cuts.blocked(c.split.box, c.number) for c in candidates]
        free = [c for c, cores in zip(candidates, blocking, strict=True) if not len(cores)]
        best, least = _placed(cuts, free, now * (1 - LEAST))
        wanted = [(c.product, i) for i, c in enumerate(candidates)
                  if len(blocking[i]) and c.product < least]
        for _, i in sorted(wanted)[:2]:
            relief = _relief(cuts, blocking[i], now)
            if relief is not None:
                return relief
        if best is not None:
            return best
    return None


def _relief(cuts: Cuts, cores: Array, now: float) -> Split | None:
    """The best cut of one of these cores, if it costs little."""
    most = now * (1 + UPHILL)
    free = [c for c in _likely(cuts, cores)
            if c.product < most and not len(cuts.blocked(c.split.box, c.number))]
    return _placed(cuts, free, most)[0]


def _placed(cuts: Cuts, candidates: list[Candidate], least: float) -> tuple[Split | None, float]:
    """The candidate and core with the least product below `least`, and that product."""
    best = None
    for candidate in candidates:
        for core, product in cuts.homes(candidate.split.box, candidate.number):
            if product < least:
                best, least = candidate.split.to_core(core), product
    return best, least


def _likely(cuts: Cuts, cores: Array) -> Iterator[Candidate]:
    """The best cuts of each box on `cores`."""
    for core in cores:
        for box in cuts.boxes.on_core(int(core)):
            splits = cuts.of(box)
            if splits:
                products = cuts.products(box)
                for i in np.argsort(products, kind="stable")[:LIKELY]:
                    yield Candidate(split=splits[i], number=int(i), product=float(products[i]))
