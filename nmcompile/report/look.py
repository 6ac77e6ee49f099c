"""A closer look at the first samples of a run: steps, spikes, rates and membranes, in bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np

from nmcompile.errors import Interrupted
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array, level_of
from nmcompile.mapping import Costs, Program, Timing
from nmcompile.report.floor import link_figures
from nmcompile.report.senders import senders
from nmcompile.simulator import Modes, Samples, each_step, simulate
from nmcompile.simulator.records import SPIKES, Ends, Wanted

VALUES = 1 << 22  # spikes and membranes that are looked at: samples x steps x neurons
MOST_SAMPLES, SHARE = 32, 8  # of the samples, and of each so many one at most
KEPT = 1 << 18  # membranes of a layer that a histogram is of
BINS, RATE_BINS = 48, 24
POINTS, ROWS = 12_000, 64  # spikes that are shown, and neurons of a layer at most
FEWEST_STEPS = 8  # of a sample of a large network
MOST_STEPS = 400  # steps that are shown by themselves
TAILS = 0.005, 0.995  # quantiles of membranes between which a histogram stands
MEMBRANE = "v"


def looked_at(network: Network, samples: int, steps: int) -> tuple[int, int]:
    """How many of a run's samples and of their steps are looked at, so that it costs little."""
    neurons = sum(p.size for p in network.populations)
    count = min(VALUES // (neurons * steps), samples // SHARE)
    return int(np.clip(count, 1, MOST_SAMPLES)), min(steps, max(VALUES // neurons, FEWEST_STEPS))


def variables(network: Network) -> Wanted:
    """What is looked at of each population."""
    return {p.name: (SPIKES, MEMBRANE) if MEMBRANE in p.neuron.state_names else (SPIKES,)
            for p in network.populations}


class Look:
    """Keeps sums, and every so many membranes, of what a run gives. See `Records`."""

    def __init__(self) -> None:
        self.record: Wanted = {}
        self._layers: dict[str, _Layer] = {}
        self._lags: Mapping[str, int] = {}
        self._first = 0

    def open(self, network: Network, record: Wanted, samples: int, steps: int) -> None:
        """See `Records`."""
        self.record = record
        self._layers = {p.name: _Layer(p, samples, steps) for p in network.populations}
        self._lags = network.lags

    def begin(self, first: int) -> None:
        """See `Records`."""
        self._first = first

    def add(self, population: str, step: int, sample: int, values: dict[str, Array]) -> None:
        """See `Records`."""
        self._layers[population].add(step, self._first + sample, values)

    def flush(self, ends: Ends) -> None:
        """See `Records`."""

    def end(self, ends: Ends) -> None:
        """See `Records`."""

    def figures(self) -> list[dict[str, Any]]:
        """Rates, membranes and the spikes of the first sample, layer by layer."""
        points = max(1, sum(int(layer.shown.sum()) for layer in self._layers.values()))
        thin = -(-points // POINTS)
        return [{**layer.figures(thin), "lag": int(self._lags[name])}
                for name, layer in self._layers.items()]


class _Layer:
    """One population.

    shown  (steps, rows) whether neurons of the first sample spike
    """

    def __init__(self, population: Population, samples: int, steps: int) -> None:
        self._population, self._frames = population, samples * steps
        self._counts, self._adding = np.zeros(population.size, np.int64), Lock()
        self._rows = np.unique(np.linspace(0, population.size - 1, ROWS).astype(np.int64))
        self.shown = np.zeros((steps, len(self._rows)), bool)
        self._stride = max(1, population.size * self._frames // KEPT)
        self._columns = -(-population.size // self._stride)
        self._membranes = np.full((samples, steps, self._columns), np.nan, np.float32)

    def add(self, step: int, sample: int, values: dict[str, Array]) -> None:
        """Keep (k, samples, n) of the steps from `step` and the samples from `sample` on."""
        spikes = values[SPIKES]
        samples = slice(sample, sample + spikes.shape[1])
        sent = np.count_nonzero(spikes, axis=(0, 1))
        with self._adding:
            self._counts += sent
        if sample == 0:
            self.shown[step : step + len(spikes)] = spikes[:, 0, self._rows] != 0
        if MEMBRANE in values:
            kept = values[MEMBRANE][:, :, :: self._stride]
            self._membranes[samples, step : step + len(kept)] = kept.swapaxes(0, 1)

    def figures(self, thin: int) -> dict[str, Any]:
        """Plain values; of the neurons that are shown every `thin`-th."""
        rates = self._counts / self._frames
        neurons, edges = np.histogram(rates, RATE_BINS, (0.0, float(rates.max()) or 1.0))
        step, row = np.nonzero(self.shown[:, ::thin])
        return {
            "name": self._population.name,
            "rates": {"edges": edges.tolist(), "neurons": neurons.tolist()},
            "silent": int(np.count_nonzero(rates == 0)),
            "raster": {"step": step.tolist(), "neuron": self._rows[::thin][row].tolist(),
                       "of": len(self._rows[::thin])},
            "membrane": self._membrane(),
        }

    def _membrane(self) -> dict[str, Any] | None:
        """How often v has which values after a step, and the v at which neurons fire."""
        values = self._membranes[np.isfinite(self._membranes)].astype(np.float64)
        if not len(values):
            return None
        low, high = np.quantile(values, TAILS)
        level = level_of(self._population.neuron)
        if level is not None and low < level.min() < high + (high - low):
            high = max(high, float(level.min()))
        inside = (values >= low) & (values <= high)
        counts, edges = np.histogram(values[inside], BINS, (low, high if high > low else low + 1))
        return {
            "edges": edges.tolist(), "counts": counts.tolist(),
            "below": int(np.count_nonzero(values < low)),
            "above": int(np.count_nonzero(values > high)),
            "level": None if level is None else [float(level.min()), float(level.max())],
        }


class Steps:
    """The steps of the first sample: how long, which core is the last, what is sent."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._cores, self._place = np.unique(program.mapping.slices.core, return_inverse=True)
        self._rows: list[tuple[float, int, int, float, list[int]]] = []

    def add(self, cost: Costs) -> bool:
        """Take in the next step, a block of its own; whether there is place for one more."""
        slices = self._program.mapping.slices
        busy = np.bincount(self._place, cost.busy_s, len(self._cores))
        core = int(busy.argmax())
        on_core = np.flatnonzero(self._place == core)
        layer = int(slices.population[on_core[cost.busy_s[on_core].argmax()]])
        spikes = np.bincount(slices.population, cost.spikes[:-1],
                             len(self._program.network.populations)).astype(np.int64)
        self._rows.append((float(cost.step_s[0]), int(self._cores[core]), layer,
                           float(busy[core]), [int(cost.spikes[-1]), *spikes.tolist()]))
        return len(self._rows) < MOST_STEPS

    def figures(self) -> dict[str, Any]:
        """Columns by step; `core` is None in steps in which no core works.

        Seconds are None where the target does not know what events cost.
        """
        names = [p.name for p in self._program.network.populations]
        seconds, core, layer, busy, spikes = zip(*self._rows, strict=True)
        works = [each > 0 for each in busy]
        known = self._program.target.costs_known
        inputs, *layers = zip(*spikes, strict=True)
        return {
            "seconds": list(seconds) if known else None, "busy_s": list(busy) if known else None,
            "core": [c if w else None for c, w in zip(core, works, strict=True)],
            "layer": [names[i] if w else None for i, w in zip(layer, works, strict=True)],
            "inputs": list(inputs),
            "spikes": {name: list(counts) for name, counts in zip(names, layers, strict=True)},
        }


def look_figures(
    program: Program, sent: Mapping[str, Samples], timing: Timing, modes: Modes
) -> dict[str, Any]:
    """What the first samples of a run show, run once more.

    samples  how many were looked at, each to its last step but for those of a large network;
             `steps` and rasters are of the first alone, and `steps` end where that sample stopped
    links    with the packets of these samples in a step of the chip, to its last one

    Raises Interrupted on Ctrl-C.
    """
    samples, steps = next(iter(sent.values())).shape[:2]
    count, steps = looked_at(program.network, samples, steps)
    first = {name: values[:count][:, :steps] for name, values in sent.items()}
    look, each = Look(), Steps(program)
    heard = senders(program, timing)
    with _told(samples):
        simulate(program, first, timing=heard, record=variables(program.network),
                 modes=replace(modes, exit_at=None, records=look))
        each_step(program, first, each.add, timing=timing, modes=modes)
    return {"samples": count, "layers": look.figures(), "steps": each.figures(),
            "links": link_figures(program, heard.sent / heard.frames)}


@contextmanager
def _told(samples: int) -> Iterator[None]:
    """Say of an interruption that it was not the run itself."""
    try:
        yield
    except Interrupted:
        raise Interrupted("interrupted in a closer look at the first samples for the report; all "
                          f"{samples:,} samples were done") from None
