"""Where each line and neuron sends, over all projections, and what a block of spikes reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping._fan_kernels import count_reached
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.frames import Frames
from nmcompile.mapping.mapping import Program

PARTS = 16  # that are counted apart; a constant, so that the number of threads changes nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Fan:
    """The axons of every sender, numbered as `Frames` number them.

    n         slices
    owner     (senders,) int32 slice of a neuron, n for lines of inputs
    start     (senders + 1,) int64; axons of sender i are start[i]:start[i + 1]
    slice     (axons,) int32 the slice that each ends in, rising for each sender
    synapses  (axons,) int32 behind it
    delay     (axons,) int32 steps
    """

    n: int
    owner: Array
    start: Array
    slice: Array
    synapses: Array
    delay: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Reached:
    """Sums over a block by slice, as in `Costs`: (n + 1,), then (n,) int64 each."""

    spikes: Array
    packets_out: Array
    packets_in: Array
    events: Array


def fan_of(program: Program) -> Fan:
    """Where each line and neuron of `program` sends."""
    network, slices = program.network, program.mapping.slices
    index = {p.name: i for i, p in enumerate(network.populations)}
    sizes = [node.size for node in network.nodes]
    first = dict(zip((node.name for node in network.nodes), np.cumsum([0, *sizes]).tolist(),
                     strict=False))
    owner = [slice_of_neurons(network, slices, index[node.name]) if node.name in index
             else np.full(node.size, len(slices), np.int32) for node in network.nodes]
    empty = np.zeros(0, np.int32)
    source, ends, synapses, delay = [empty], [empty], [empty], [empty]
    for projection, axons in zip(network.projections, program.mapping.axons, strict=True):
        lines = np.arange(len(axons.start) - 1) + first[projection.source]
        source.append(np.repeat(lines, np.diff(axons.start)).astype(np.int32))
        ends.append(axons.slice)
        synapses.append(axons.synapses)
        delay.append(np.full(len(axons.slice), projection.delay, np.int32))
    every, end = np.concatenate(source), np.concatenate(ends)
    order = np.lexsort((end, every))
    return Fan(
        n=len(slices), owner=np.concatenate(owner).astype(np.int32),
        start=np.searchsorted(every[order], np.arange(sum(sizes) + 1)),
        slice=end[order], synapses=np.concatenate(synapses)[order],
        delay=np.concatenate(delay)[order])


def frame_of(frames: Frames) -> Array:
    """(spikes,) int64 the frame of each spike."""
    return np.repeat(np.arange(len(frames)), np.diff(frames.start))


def reached(fan: Fan, frames: Frames, each: bool = False) -> Reached:
    """What the spikes of `frames` reach; with `each`, a payload of n is n events."""
    weight = frames.payload if each else np.ones(len(frames.sender), np.int32)
    totals = np.zeros((PARTS, fan.n + 1, 4), np.int64)
    count_reached(frames.sender, weight.astype(np.int64), fan.owner, fan.start, fan.slice,
                  fan.synapses, PARTS, totals)
    spikes, out, packets, events = totals.sum(axis=0).T
    return Reached(spikes=spikes, packets_out=out, packets_in=packets[:-1], events=events[:-1])
