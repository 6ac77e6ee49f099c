"""The steps of a sample as Trace Event JSON, which Perfetto and chrome://tracing show."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Program

MOST_CORES, MOST_EVENTS = 64, 200_000
PROCESS, STEPS = 1, 0  # numbers of the only process and of the thread of steps
US = 1e6  # microseconds, the format's unit of time
Event = dict[str, Any]


class Timeline:
    """The trace of one sample, made step by step, after the Trace Event Format (Google, 2016).

    A thread has the steps, and one for each of the busiest cores the time that it works in each
    step, at the step's beginning; counters have the spikes of each layer. Where a core works beyond
    the end of a step, its span ends with the step, and says in `args` how much longer it worked.
    """

    def __init__(self, program: Program, busy_s: Array) -> None:
        """`busy_s`: seconds in which each slice works in the whole run, for the busiest cores."""
        self._program = program
        cores, self._place = np.unique(program.mapping.slices.core, return_inverse=True)
        busy = np.bincount(self._place, busy_s)
        self._shown = np.sort(np.argsort(-busy, kind="stable")[:MOST_CORES])
        self._cores, self._hidden = cores, len(cores) - len(self._shown)
        self._layers = [each.name for each in program.network.populations]
        self._counters = ("input spikes", *(f"spikes {name}" for name in self._layers))
        self._most = MOST_EVENTS // (2 + len(self._shown) + len(self._layers))
        self._events = _names(program, cores[self._shown])
        self._steps, self._start, self._cut = 0, 0.0, 0

    def add(self, cost: Costs) -> bool:
        """Take in the next step, a block of its own; whether there is place for one more."""
        if self._steps == self._most:
            return False
        seconds, start = float(cost.step_s[0]), self._start
        self._events.append(_span(f"step {self._steps}", start, seconds, STEPS))
        busy = np.bincount(self._place, cost.busy_s)
        spans = [_busy(int(self._cores[core]), start, float(busy[core]), seconds)
                 for core in self._shown if busy[core] > 0]
        self._cut += sum("args" in span for span in spans)
        self._events += spans
        spikes = np.bincount(self._program.mapping.slices.population, cost.spikes[:-1],
                             len(self._layers))
        self._events += [
            {"name": name, "ph": "C", "ts": _us(start), "pid": PROCESS,
             "args": {"spikes": int(count)}}
            for name, count in zip(self._counters, (cost.spikes[-1], *spikes), strict=True)]
        self._steps, self._start = self._steps + 1, start + seconds
        return self._steps < self._most

    def trace(self, steps: int) -> tuple[Event, str]:
        """The trace, and in words what is left out of it; the sample ran `steps`."""
        left_out = _left_out(steps - self._steps, self._hidden, self._cut)
        return {
            "traceEvents": self._events, "displayTimeUnit": "ns",
            "otherData": {"target": self._program.target.name, "sample": 0, "left_out": left_out},
        }, left_out


def _names(program: Program, cores: Array) -> list[Event]:
    slices, network = program.mapping.slices, program.network
    events = [_name("process_name", STEPS, f"{program.target.name}, first sample"),
              _name("thread_name", STEPS, "steps")]
    for core in cores:
        on_core = np.unique(slices.population[slices.core == core])
        layers = ", ".join(network.populations[i].name for i in on_core)
        events.append(_name("thread_name", int(core) + 1, f"core {core} ({layers})"))
    return events


def _name(of: str, thread: int, name: str) -> Event:
    return {"name": of, "ph": "M", "pid": PROCESS, "tid": thread, "args": {"name": name}}


def _span(name: str, start: float, seconds: float, thread: int) -> Event:
    return {"name": name, "ph": "X", "ts": _us(start), "dur": _us(seconds), "pid": PROCESS,
            "tid": thread}


def _busy(core: int, start: float, worked: float, seconds: float) -> Event:
    """The span of what a core works in a step of `seconds`, without what goes beyond its end."""
    span = _span("busy", start, min(worked, seconds), core + 1)
    beyond = _us(worked - seconds)
    return {**span, "args": {"beyond_us": beyond}} if beyond > 0 else span


def _us(seconds: float) -> float:
    """Microseconds, to the picosecond."""
    return round(seconds * US, 6)


def _left_out(steps: int, cores: int, cut: int) -> str:
    parts = [f"the last {steps:,} steps"] if steps else []
    parts += [f"{cores:,} less busy cores"] if cores else []
    parts += [f"what goes beyond the end of its step in {cut:,} spans"] if cut else []
    return " and ".join(parts)
