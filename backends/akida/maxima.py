"""Find max pooling again: it is traced as ReLUs of differences between several populations."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import reduce
from itertools import takewhile
from math import prod

import numpy as np
import scipy.sparse
from nmcompile_backends.akida.flow import Stage, links, residual
from nmcompile_backends.akida.layer import window_places

from nmcompile.errors import ChipLayerError
from nmcompile.ir import Input, Network, Output, Projection, run
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import view
from nmcompile.passes.legalize.compose import compose, matrix

SIZES = ((2, 2), (2, 1), (1, 1))  # windows and strides that AKD1000 maps; of size 3 it says "not
# supported on NSoC_v2", and a stride may not exceed the size
TRIALS, RANGE = 8, 1000  # random whole numbers on which a stage is compared with the maximum
Window = tuple[int, int, bool]  # size, stride, and whether it has padding Same (else Valid)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pooled:
    """A stage: linear maps and the window whose largest value counts, or None."""

    maps: tuple[LinearMap, ...]
    window: Window | None


def pooled(network: Network, stage: Stage, chip: str) -> Pooled:
    """What `stage` computes ahead of its target's bias and activation.

    Several populations are max pooling where they give the largest of each window on random whole
    numbers, on which float32 is exact. Raises NmcError where they are anything else.
    """
    arriving = network.incoming(stage.target.name)
    if not stage.inside and len(arriving) == 1:
        return Pooled(maps=links(arriving[0].map), window=None)
    webs = _webs(network, stage)
    for same in (True, False):
        for maps, web in webs:
            inputs = view(web.inputs[0].shape)
            found = _window(web, inputs, view(stage.target.shape), same=same)
            if found is not None and _is_largest(
                    web, inputs, found, signed=any(map(_has_weights, maps))):
                return Pooled(maps=maps, window=found)
    if _is_one_path(stage, *webs[0]):
        raise ChipLayerError(
            stage.target.name, f"the activation or pooling between {stage.source} and it is none "
            "that Akida v1 has there: ReLU, and max pooling behind a convolution",
            "Train with ReLU, and pool behind convolutions alone.")
    if any(_has_weights(link) for p in webs[0][1].projections for link in links(p.map)):
        raise residual(stage.target.name)
    raise ChipLayerError(
        stage.target.name, f"its max pooling is none of {chip}, whose windows are 2 x 2 with a "
        "stride of 1 or 2 and padding Same", "Pool with MaxPool2d(2) where rows and columns are "
        "even, or with ceil_mode=True.")


def _webs(network: Network, stage: Stage) -> list[tuple[tuple[LinearMap, ...], Network]]:
    """The maps that all of a stage begins with, and what is behind them.

    What pads a picture for its pooling may be part of either, and is so in turn.
    """
    inner = [p for p in network.projections
             if p.target in {q.name for q in (*stage.inside, stage.target)}]
    shared = _shared([links(p.map) for p in inner if p.source == stage.source])
    webs = list[tuple[tuple[LinearMap, ...], Network]]()
    while True:
        inputs = shared[-1].out_shape if shared else network.shape_of(stage.source)
        webs.append((shared, _web(stage, inner, len(shared), inputs)))
        if not shared or _has_weights(shared[-1]):
            return webs
        shared = shared[:-1]


def _is_one_path(stage: Stage, shared: tuple[LinearMap, ...], web: Network) -> bool:
    """Whether a stage works on what one layer gives, unlike a sum of several: see `_webs`."""
    ahead = [link for p in web.projections
             if p.source == stage.source and p.target != stage.target.name for link in links(p.map)]
    return bool(ahead) and (any(map(_has_weights, shared)) or (
        not any(map(_has_weights, ahead)) and any(
            _has_weights(link) for p in web.projections for link in links(p.map))))


def _has_weights(linear: LinearMap) -> bool:
    """Whether a map does more than to pick values and to change their signs."""
    return not np.all(np.isin(linear.weights(), (-1, 0, 1)))


def _shared(chains: list[tuple[LinearMap, ...]]) -> tuple[LinearMap, ...]:
    """The maps that all of `chains` begin with."""
    if not chains:
        return ()
    alike = takewhile(lambda row: all(_same(row[0], other) for other in row[1:]),
                      zip(*chains, strict=False))
    return tuple(row[0] for row in alike)


def _same(first: LinearMap, second: LinearMap) -> bool:
    """Whether two maps are one: the tracer makes a map once for each use of a module."""
    return first is second or (type(first) is type(second) and all(
        np.array_equal(getattr(first, field.name), getattr(second, field.name))
        for field in fields(first) if field.name != "grid"))  # type: ignore[arg-type]


def _web(
    stage: Stage, inner: list[Projection], skipped: int, inputs: tuple[int, ...]
) -> Network:
    """The populations of a stage by themselves, behind the maps that all have in common."""
    def rest(projection: Projection) -> LinearMap:
        if projection.source != stage.source:
            return projection.map
        kept = links(projection.map)[skipped:]
        return Chain(maps=kept) if kept else Scale(factor=np.ones((), np.float32), in_shape=inputs)

    last = replace(stage.target, bias=np.zeros((), np.float32))
    return Network(
        inputs=(Input(name=stage.source, shape=inputs),), populations=(*stage.inside, last),
        projections=tuple(replace(p, map=rest(p)) for p in inner),
        outputs=(Output(name="largest", population=last.name, variable="v"),))


def _window(
    web: Network, shape: tuple[int, int, int], wanted: tuple[int, int, int], *, same: bool
) -> Window | None:
    """The windows that each of the web's outputs depends on."""
    reach = {web.inputs[0].name: scipy.sparse.eye_array(prod(shape), format="csr")}
    for population in web.populations:
        parts = [reach[p.source] @ abs(scipy.sparse.csr_array(matrix(p.map)))
                 for p in compose(web).incoming(population.name)]
        reach[population.name] = scipy.sparse.csr_array(reduce(lambda a, b: a + b, parts))
    found = reach[web.populations[-1].name].astype(bool)
    for size, stride in SIZES:
        places = window_places(shape, size, stride, same)
        if places.shape[1:] != wanted:
            continue
        rows = places.reshape(size * size, -1)
        ones = scipy.sparse.csr_array(
            (np.ones(rows.size, bool), (rows.reshape(-1), np.tile(np.arange(rows.shape[1]),
                                                                  len(rows)))), found.shape)
        if (found != ones).nnz == 0:
            return size, stride, same
    return None


def _is_largest(
    web: Network, shape: tuple[int, int, int], window: Window, *, signed: bool
) -> bool:
    """Whether the web gives the largest of each window; of values from 0 on, if not `signed`."""
    rng = np.random.default_rng(0)
    values = rng.integers(-RANGE * signed, RANGE, (TRIALS, prod(shape))).astype(np.float32)
    port, last = web.inputs[0], web.populations[-1]
    given = values.reshape(TRIALS, 1, *port.shape)
    found = run(web, {port.name: given}).records[last.name]["v"].reshape(TRIALS, -1)
    places = window_places(shape, *window)
    largest: Array = values[:, places].max(axis=1).reshape(TRIALS, -1)
    return bool(np.array_equal(found, largest))
