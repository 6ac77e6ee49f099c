"""Compiled networks for SpiNNaker 1: every kind of map, cell, delay and loop that it takes."""

from __future__ import annotations

import numpy as np

from helpers.networks import conv, dense, scalar, sparse
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LI, LIF, CubaLIF, ResetAt
from nmcompile.mapping import Program
from nmcompile.pipeline import compile_stage
from nmcompile.target.load import installed, parse_target

STEPS = 40


def mixed_network(seed: int) -> Network:
    """Delta and exponential synapses, loops, biases, a lost input, delays, and a readout."""
    rng, link = np.random.default_rng(seed), Projection
    bias = rng.normal(0, 0.05, 300).astype(np.float32)
    cuba = CubaLIF(decay=rng.uniform(0.5, 0.97, 300).astype(np.float32), threshold=scalar(1.5),
                   current_decay=scalar(rng.uniform(0.3, 0.9)), reset_at=ResetAt.INPUT)
    return verify(Network(
        inputs=(Input(name="in", shape=(30,)),),
        populations=(
            Population(name="first", shape=(40,), neuron=LIF(decay=scalar(0.9), threshold=scalar(1)),
                       bias=np.full((40,), 0.03, np.float32)),
            Population(name="second", shape=(300,), neuron=cuba, bias=bias),
            Population(name="out", shape=(6,), neuron=LI(decay=scalar(0.95)))),
        projections=(
            link(source="in", target="first", map=dense(rng, 30, 40, 2.0)),
            link(source="first", target="second", map=dense(rng, 40, 300, 2.0)),
            link(source="second", target="second", delay=3, map=sparse(rng, 300, 300, 0.01)),
            link(source="second", target="out", map=dense(rng, 300, 6, 2.0)),
            link(source="first", target="out", delay=20, map=dense(rng, 40, 6, 1.0))),
        outputs=(Output(name="out", population="out", variable="v"),)))


def convolving_network(seed: int) -> Network:
    """Boxes of a convolution on several cores, two runs of input lines, and a dense readout."""
    rng, link = np.random.default_rng(seed), Projection
    first = conv(rng, (2, 14, 13), 5, padding=(1, 1), gain=3.0)
    return verify(Network(
        inputs=(Input(name="in", shape=(2, 14, 13)),),
        populations=(
            Population(name="conv", shape=first.out_shape,
                       neuron=LIF(decay=scalar(0.9), threshold=scalar(1))),
            Population(name="flat", shape=(10,), neuron=LIF(decay=scalar(0.8), threshold=scalar(1)))),
        projections=(
            link(source="in", target="conv", map=first),
            link(source="conv", target="flat", map=flattened(rng, first.out_shape, 10))),
        outputs=(Output(name="out", population="flat"),)))


def small_network(seed: int) -> Network:
    """Two layers of few neurons, of either cell."""
    rng, link = np.random.default_rng(seed), Projection
    cuba = CubaLIF(decay=scalar(0.8), threshold=scalar(1), current_decay=scalar(0.5))
    return verify(Network(
        inputs=(Input(name="in", shape=(2, 6)),),
        populations=(
            Population(name="first", shape=(20,), neuron=LIF(decay=scalar(0.9), threshold=scalar(1)),
                       bias=np.full((20,), 0.03, np.float32)),
            Population(name="second", shape=(10,), neuron=cuba)),
        projections=(
            link(source="in", target="first", map=flattened(rng, (2, 6), 20)),
            link(source="first", target="second", delay=2, map=dense(rng, 20, 10, 2.0))),
        outputs=(Output(name="out", population="second"),)))


def flattened(rng: np.random.Generator, shape: tuple[int, ...], n: int) -> Dense:
    """Random weights from lines of any shape."""
    size = int(np.prod(shape))
    weight = rng.normal(0, 2 / np.sqrt(size), (n, size)).astype(np.float32)
    return Dense(weight=weight, in_shape=shape, out_shape=(n,))


def compiled(net: Network, seed: int, cores: int = 16) -> Program:
    """The program of `net`, its scales chosen on random spikes, on chips with `cores` for neurons."""
    text = installed()["spinnaker1"].replace("cores_per_tile = { value = 16,",
                                             f"cores_per_tile = {{ value = {cores},")
    rng = np.random.default_rng(seed)
    sample = {port.name: (rng.random((4, STEPS, *port.shape)) < 0.3).astype(np.float32)
              for port in net.inputs}
    return compile_stage(Traced(network=net, inputs=sample, expected=run(net, sample).records),
                         parse_target(text, "spinnaker1.toml")).program


def spikes_for(program: Program, seed: int, samples: int = 1, steps: int = STEPS) -> dict:
    """Name -> (samples, steps, *shape) int32 spikes for the inputs of `program`."""
    rng = np.random.default_rng(seed)
    return {port.name: (rng.random((samples, steps, *port.shape)) < 0.4).astype(np.int32)
            for port in program.network.inputs}
