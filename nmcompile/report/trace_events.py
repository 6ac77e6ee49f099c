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


def timeline(program: Program, steps: list[Costs]) -> tuple[Event, str]:
    """The trace of one sample, and in words what is left out of it.

    steps  what each step of the sample takes, a block for each

    A thread has the steps, and one for each of the busiest cores the time that it works in each
    step, at the step's beginning; counters have the spikes of each layer. After the Trace Event
    Format (Google, 2016).
    """
    cores, place = np.unique(program.mapping.slices.core, return_inverse=True)
    busy = _summed(np.stack([cost.busy_s for cost in steps]), place, len(cores))
    spikes = _spikes_by_layer(program, steps)
    shown = np.sort(np.argsort(-busy.sum(axis=0), kind="stable")[:MOST_CORES])
    kept = min(len(steps), MOST_EVENTS // (1 + len(shown) + len(spikes)))
    events = _names(program, cores[shown])
    start = 0.0
    for step in range(kept):
        seconds = float(steps[step].step_s[0])
        events.append(_span(f"step {step}", start, seconds, STEPS))
        events += [
            _span("busy", start, min(float(busy[step, core]), seconds), int(cores[core]) + 1)
            for core in shown if busy[step, core] > 0]
        events += [
            {"name": f"spikes {name}", "ph": "C", "ts": _us(start), "pid": PROCESS,
             "args": {"spikes": int(counts[step])}} for name, counts in spikes.items()]
        start += seconds
    left_out = _left_out(len(steps) - kept, len(cores) - len(shown))
    return {
        "traceEvents": events, "displayTimeUnit": "ns",
        "otherData": {"target": program.target.name, "sample": 0, "left_out": left_out},
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


def _us(seconds: float) -> float:
    """Microseconds, to the picosecond."""
    return round(seconds * US, 6)


def _summed(values: Array, place: Array, n: int) -> Array:
    """(steps, n) sums of `values` (steps, slices) by the core that each slice is on."""
    sums = np.zeros((n, len(values)))
    np.add.at(sums, place, values.T)
    return sums.T


def _spikes_by_layer(program: Program, steps: list[Costs]) -> dict[str, Array]:
    """(steps,) spikes of all inputs together and of each population."""
    spikes = np.stack([cost.spikes for cost in steps])
    population = program.mapping.slices.population
    found = {"inputs": spikes[:, -1]}
    for number, each in enumerate(program.network.populations):
        found[each.name] = spikes[:, :-1][:, population == number].sum(axis=1)
    return found


def _left_out(steps: int, cores: int) -> str:
    parts = [f"the last {steps:,} steps"] if steps else []
    parts += [f"{cores:,} less busy cores"] if cores else []
    return " and ".join(parts)
