"""Integer networks of TrueNorth's neurons whose layers feed many cores, and small cores."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.truenorth.arithmetic import TrueNorthNeuron

from helpers.networks import sparse
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    verify,
)
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import Reset
from nmcompile.passes.legalize import retime
from nmcompile.target import Target, load_target

FORMAT = SynapseFormat(bits=4)


def small_cores(**limits: int) -> Target:
    """TrueNorth with cores that hold as little as `limits` says."""
    target = load_target("truenorth")
    core = {name: getattr(target.core, name).model_copy(update={"value": value})
            for name, value in limits.items()}
    return target.model_copy(update={"core": target.core.model_copy(update=core)})


def neurons(name: str, n: int, threshold: int) -> Population:
    """A population without leaks that begins at 0."""
    zero = np.zeros((), np.int32)
    neuron = TrueNorthNeuron(leak=zero, threshold=np.full((), threshold, np.int32),
                             floor=np.full((), 30, np.int32), reset=Reset.SUBTRACT)
    return Population(name=name, shape=(n,), neuron=neuron, bias=zero)


def dense(rng: np.random.Generator, n_in: int, n_out: int) -> Dense:
    """Random weights of four bits, more of them positive."""
    return Dense(weight=rng.integers(-4, 8, (n_out, n_in)).astype(np.int16), in_shape=(n_in,),
                 out_shape=(n_out,))


def fanning(seed: int, hidden: int = 5, wide: int = 90, skip: int = 1, loop: int = 1) -> Network:
    """Inputs, a layer that feeds itself, a wide one behind it, an answer of both.

    skip  steps that the way from `hidden` past `wide` takes; loop: those of `hidden` to itself
    """
    rng = np.random.default_rng(seed)
    few = sparse(rng, wide, 6, 0.1)
    few = few.with_weights(rng.integers(1, 7, len(few.weights())).astype(np.int16))

    def link(source: str, target: str, linear: object, delay: int = 0) -> Projection:
        return Projection(source=source, target=target, map=linear, delay=delay, format=FORMAT)

    network = Network(
        inputs=(Input(name="in", shape=(8,), format=SpikeFormat(payload_bits=0)),),
        populations=(neurons("hidden", hidden, 9), neurons("wide", wide, 7), neurons("out", 6, 8)),
        projections=(
            link("in", "hidden", dense(rng, 8, hidden)),
            link("hidden", "hidden", dense(rng, hidden, hidden), loop),
            link("hidden", "wide", dense(rng, hidden, wide)),
            link("hidden", "out", dense(rng, hidden, 6), skip),
            link("wide", "out", few)),
        outputs=(Output(name="out", population="out"), Output(name="hidden", population="hidden")))
    return verify(retime(network, 15)[0])


def sent_to(network: Network, seed: int, steps: int = 40) -> dict[str, np.ndarray]:
    """(2, steps, lines) binary spikes."""
    rng = np.random.default_rng(seed)
    return {p.name: (rng.random((2, steps, *p.shape)) < 0.4).astype(np.int32)
            for p in network.inputs}
