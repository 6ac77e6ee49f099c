"""The time of a Speck: its cores handle events as they come, and there is no step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nmcompile_backends.speck._timing_kernels import serve

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program
from nmcompile.mapping.fan import fan_of, reached
from nmcompile.target.schema import EventPipeline


@dataclass(frozen=True, kw_only=True, eq=False)
class _Past:
    """The last steps of a batch: their frames, and when their events are at the next core."""

    start: Array
    sender: Array
    payload: Array
    time: Array


class SpeckTiming:
    """A queue of operations for each core, and events between them.

    An event of a core's source begins when it is there and the core is free, and takes as many
    operations as neurons are in its reach, weights of 0 included. A step of the simulation is a bin
    of input events, which come in the order of their lines. Where the network says what time a step
    is (`dt`), they come evenly over it; otherwise all are there from the beginning, and the first
    core takes them as fast as it can.

    Which operation made a neuron fire is not known: frames are the steps of `SpeckNeuron`. The
    output events of a core and step are spread evenly over its operations in it. An event whose
    operation is the first of an input event is at the next core `core` seconds after that begins.

    A frame's seconds are those by which it puts off the end of the sample's last event; their sum
    is the time of the sample. Timing changes no spikes here; the chip's order of events does, which
    `arithmetic.run` computes.
    """

    name = "event pipeline (no steps)"

    def __init__(self, program: Program, pipeline: EventPipeline) -> None:
        network, target = program.network, program.target
        ends = np.cumsum([0, *(node.size for node in network.nodes)]).tolist()
        place = {node.name: (ends[i], ends[i + 1]) for i, node in enumerate(network.nodes)}
        incoming = [(p, axons) for population in network.populations
                    for p, axons in zip(network.projections, program.mapping.axons, strict=True)
                    if p.target == population.name]
        self._n, self._lines = len(network.populations), ends[len(network.inputs)]
        self._layers = np.array([(*place[p.source], *place[p.target], p.delay)
                                 for p, _ in incoming], np.int64)
        work = [np.bincount(np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start)),
                            axons.synapses, len(axons.start) - 1) for _, axons in incoming]
        self._work_at = np.cumsum([0, *map(len, work)])[:-1]
        self._work = np.concatenate(work).astype(np.int64)
        self._keep = int(self._layers[:, 4].max())
        slices = program.mapping.slices
        self._slice = np.argsort(slices.population)
        core = slices.core[self._slice] % target.cores_per_chip
        self._operation = np.array(pipeline.operation.value)[core]
        self._seconds = np.append(self._operation, pipeline.core.value)
        self._pads = (network.dt or 0.0, pipeline.chip.value)
        self._fan = fan_of(program)

    def begin(self, samples: int) -> None:
        """A new batch: all cores are free."""
        self._clock = np.zeros((samples, self._n + 2))
        empty = np.zeros(0, np.int32)
        self._past = _Past(start=np.zeros(1, np.int64), sender=empty, payload=empty,
                           time=np.zeros(0))

    def keep(self, rows: Array) -> None:
        """Only these samples of the batch go on."""
        past, samples = self._past, len(self._clock)
        steps = np.arange((len(past.start) - 1) // samples)
        frames = (steps[:, None] * samples + rows).reshape(-1)
        count = np.diff(past.start)
        spikes = np.flatnonzero(np.isin(np.repeat(np.arange(len(count)), count), frames))
        self._clock = self._clock[rows]
        self._past = _Past(
            start=np.concatenate([[0], np.cumsum(count[frames])]), sender=past.sender[spikes],
            payload=past.payload[spikes], time=past.time[spikes])

    def add(self, frames: Frames) -> Costs:
        """What the next block takes; several spikes of a neuron in a step are as many events."""
        past, samples = self._past, frames.samples
        start = np.concatenate([past.start, frames.start[1:] + len(past.sender)])
        sender = np.concatenate([past.sender, frames.sender])
        payload = np.concatenate([past.payload, frames.payload])
        time = np.concatenate([past.time, np.zeros(len(frames.sender))])
        behind = (len(past.start) - 1) // samples
        step_s = np.zeros(len(frames))
        serve((behind, frames.steps, samples, self._lines), self._pads, self._layers,
              self._work_at, self._work, self._seconds, (start, sender, payload), time,
              self._clock, step_s)
        first = max(0, (behind + frames.steps - self._keep) * samples)
        self._past = _Past(
            start=start[first:] - start[first], sender=sender[start[first] :],
            payload=payload[start[first] :], time=time[start[first] :])
        found, busy = reached(self._fan, frames, each=True), np.zeros(self._n)
        busy[self._slice] = found.events[self._slice] * self._operation
        return Costs(
            step_s=step_s, spikes=found.spikes, packets_out=found.packets_out,
            hops=np.zeros((self._n + 1, 3), np.int64), events=found.events,
            packets_in=found.packets_in, busy_s=busy)
