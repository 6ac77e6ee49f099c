"""Cut populations and share cores so that energy times the time of a step is least."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nmcompile.backend import Backend
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices
from nmcompile.passes.partition.cuts import Cuts, Split
from nmcompile.target import Target

HOTTEST = 4  # cores that are looked at first for a better cut
WARM = 16  # cores that are looked at if those give none
LIKELY = 6  # cuts of a core for which all places are tried
MOST = 2000  # cuts
LEAST = 1e-4  # of the product that a cut must save
UPHILL = 5e-3  # of the product that a cut may cost where it makes room for a better one


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What the search found.

    slices    not yet placed (core -1)
    together  (s,) int, slices of one number share a core
    energy_j, step_s  predicted for the mean step, without the ways of packets
    changes   cuts made
    """

    slices: Slices
    together: Array
    energy_j: float
    step_s: float
    changes: int


def search(
    network: Network, target: Target, backend: Backend, spikes: dict[str, Array]
) -> Found:
    """Slices of all populations and the cores that they share, of low energy times delay.

    spikes  name of input or population -> (steps, n) spikes, 0 or 1, of representative steps

    Populations are cut in two, at any row, column or channel, until all parts fit a core; of the
    cuts that need the fewest parts the best is taken. Then the cores that hold up most steps are
    cut further, one half moving to a core of its own or to one with room, as long as energy times
    delay falls. A step is as long as its busiest core, be it sending or receiving, and the barrier
    of the tiles in use. The maximum is smoothed to a p-norm (p = 8), so that a cut of one of many
    equally busy cores counts too. Raises NmcError where a population does not fit.
    """
    cuts = Cuts(network, target, backend, spikes)
    changes = 0
    while (slice_ := cuts.misfit()) >= 0:
        cuts.apply(_economic(cuts, slice_))
        changes += 1
    while changes < MOST and (split := _better(cuts)) is not None:
        cuts.apply(split)
        changes += 1
    slices, together = cuts.slices()
    return Found(slices=slices, together=together, energy_j=cuts.energy(), step_s=cuts.step(),
                 changes=changes)


def _economic(cuts: Cuts, slice_: int) -> Split:
    """The cut of a box that does not fit which leads to fewest parts, then to the least product."""
    splits = cuts.splits(slice_)
    best = int(np.lexsort((cuts.products(splits), cuts.parts(splits)))[0])
    return splits[best].to_core(cuts.room(splits[best], best))


def _better(cuts: Cuts) -> Split | None:
    """The best cut of the cores that hold up most, None if there is none that helps.

    Where a better one lacks output axons on the cores that send to it, one of these is cut instead.
    """
    order = cuts.by_blame()
    now = cuts.product()
    for group in (order[:HOTTEST], order[HOTTEST:WARM]):
        best, least, short = None, now * (1 - LEAST), []
        for split, number, product in _promising(cuts, group):
            if product >= least:
                continue
            blocking = cuts.blocked(number, split)
            if len(blocking):
                short.append((product, blocking))
                continue
            for to, product_there in cuts.homes(number, split):
                if product_there < least:
                    best, least = split.to_core(to), product_there
        wanted = [cores for product, cores in sorted(short, key=lambda s: s[0]) if product < least]
        for cores in wanted[:2]:
            relief = _relief(cuts, cores, now)
            if relief is not None:
                return relief
        if best is not None:
            return best
    return None


def _relief(cuts: Cuts, cores: Array, now: float) -> Split | None:
    """The best cut of one of these cores, if it costs little."""
    best, least = None, now * (1 + UPHILL)
    for split, number, product in _promising(cuts, cores):
        if product < least and not len(cuts.blocked(number, split)):
            for to, product_there in cuts.homes(number, split):
                if product_there < least:
                    best, least = split.to_core(to), product_there
    return best


def _promising(cuts: Cuts, cores: Array) -> Iterator[tuple[Split, int, float]]:
    """The best cuts of each box on `cores`, their numbers, and the product on a core of its own."""
    for core in cores:
        for slice_ in cuts.on_core(int(core)):
            splits = cuts.splits(slice_)
            if splits:
                products = cuts.products(splits)
                for i in np.argsort(products, kind="stable")[:LIKELY]:
                    yield splits[i], int(i), float(products[i])
