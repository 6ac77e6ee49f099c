"""One batch of samples as it runs: logged, and timed until each sample stops."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from nmcompile.errors import StepError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Coupled, FrameError, Frames, Program, Timing
from nmcompile.simulator._spike_kernels import count_by_sender
from nmcompile.simulator.exits import Exit, Watch
from nmcompile.simulator.frames import Collector
from nmcompile.simulator.log import Log
from nmcompile.simulator.perturb import Disturbance
from nmcompile.simulator.records import Records

Progress = Callable[[int], None]
Spiked = Callable[[Array], None]
AHEAD = 2  # blocks that are timed or wait for it while the engine goes on
SUMS = tuple(f.name for f in fields(Costs) if f.name not in ("step_s", "overran", "late"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What all batches of a run share.

    steps         of the network for each sample; the chip runs `chip_steps`
    timer         runs the timing model beside the engine, one block after the other
    progress      told how many further steps of samples are done
    spiked        told (inputs + populations,) int64, how many further spikes each sent, in the
                  network's order; of samples that still run
    single_steps  whether each step is timed by itself, and not in blocks of many
    """

    program: Program
    timing: Timing
    records: Records
    steps: int
    timer: Executor | None = None
    exit_at: Exit | None = None
    disturbance: Disturbance | None = None
    progress: Progress = lambda frames: None
    spiked: Spiked | None = None
    single_steps: bool = False

    @property
    def chip_steps(self) -> int:
        """Steps until the last population has answered."""
        return self.steps + max(self.program.latency.values())

    @cached_property
    def ends(self) -> Array:
        """(inputs + populations,) int64 where the senders of each end, in a frame's numbers."""
        network = self.program.network
        sizes = [port.size for port in network.inputs]
        return np.cumsum(sizes + [population.size for population in network.populations])


class Batch:
    """What is known of a batch so far.

    first    number in the run of its first sample
    step     of the chip that comes next
    step_s   (samples, chip_steps) seconds of each step, 0 where a sample did not run
    overran  (samples, chip_steps) int64 cores that were not done when the next step began
    watch    when its samples stop, if they may
    costs    of all blocks together; of each step apart where they are timed by themselves
    """

    def __init__(self, setting: Setting, first: int, samples: int) -> None:
        self._setting, self.first, self.step = setting, first, 0
        chip_steps = setting.chip_steps
        self._at_once = (setting.exit_at is not None or setting.single_steps
                         or isinstance(setting.timing, Coupled))
        self.watch = None if setting.exit_at is None else Watch(
            setting.program, setting.exit_at, samples, setting.steps, chip_steps)
        self.log = Log(setting.program, samples, setting.steps, setting.records, self.watch)
        self.step_s = np.zeros((samples, chip_steps))
        self.overran = np.zeros((samples, chip_steps), np.int64)
        self.costs: list[Costs] = []
        self._rows, self._timed = np.arange(samples), 0
        self._collector = Collector()
        self._pending: deque[tuple[int, Future[Costs]]] = deque()
        setting.timing.begin(samples)
        setting.records.begin(first)

    @property
    def ran(self) -> Array:
        """(samples,) steps of the chip that each sample ran."""
        if self.watch is not None:
            return self.watch.last + 1
        return np.full(len(self.step_s), self._setting.chip_steps)

    def disturb(self, name: str, step: int, sample: int, payload: Array) -> None:
        """Change what an input or population sends, where that was asked for."""
        assert self._setting.disturbance is not None
        self._setting.disturbance.apply(
            name, step, self.first + sample, self._setting.steps, payload)

    def hand_on(self, frames: Frames) -> bool:
        """Take in the next steps; whether any sample goes on."""
        self.log.settle()
        self._setting.records.flush(self._ends())
        begin, self.step = self.step, self.step + frames.steps
        if self._at_once:
            self._cut(frames, begin)
        else:
            self._tell(frames)
            self._collector.add(frames)
            if self._collector.full or self.step == self._setting.chip_steps:
                self._time_beside(self._collector.take())
        over = not len(self._rows)
        left = self._setting.chip_steps - begin if over else frames.steps
        self._setting.progress(left * len(self.step_s))
        return not over

    def end(self) -> None:
        """All steps are over."""
        self._await(0)
        self._setting.records.end(self._ends())

    def _ends(self) -> Callable[[str], Array] | None:
        watch, lags = self.watch, self._setting.program.network.lags
        return None if watch is None else lambda population: watch.ends(lags[population])

    def _cut(self, frames: Frames, begin: int) -> None:
        """Time the steps of `frames` from step `begin` on, each for the samples that run then."""
        last = self._last()
        if self._setting.single_steps:
            cuts = range(begin, self.step)
        else:
            stops = last[self._rows]
            cuts = np.unique(np.append(stops[stops < self.step], self.step - 1)).tolist()
        for cut in cuts:
            self._time(part(frames, self._timed - begin, cut + 1 - begin, self._rows))
            staying = np.flatnonzero(last[self._rows] > cut)
            if len(staying) == len(self._rows):
                continue
            self._rows = self._rows[staying]
            if not len(staying):
                return
            self._setting.timing.keep(staying)

    def _last(self) -> Array:
        """(samples,) the last step of each sample; none stops with the last step of all."""
        last = self.ran - 1
        return np.where(last == self._setting.chip_steps - 1, self._setting.chip_steps, last)

    def _tell(self, frames: Frames) -> None:
        """Tell how many spikes these are, by who sent them."""
        told = self._setting.spiked
        if told is not None:
            counts = np.zeros(len(self._setting.ends), np.int64)
            count_by_sender(frames.start, frames.sender, self._setting.ends, counts)
            told(counts)

    def _time(self, frames: Frames) -> None:
        """Time steps of the samples that still run."""
        self._tell(frames)
        self._keep(lambda: self._setting.timing.add(frames), frames.samples)

    def _time_beside(self, frames: Frames) -> None:
        """Time steps of all samples while the next ones are computed."""
        assert self._setting.timer is not None
        self._await(AHEAD - 1)
        self._pending.append((frames.samples, self._setting.timer.submit(
            self._setting.timing.add, frames)))

    def _await(self, pending: int) -> None:
        """Keep what the first blocks took until no more than `pending` are being timed."""
        while len(self._pending) > pending:
            samples, costs = self._pending.popleft()
            self._keep(costs.result, samples)

    def _keep(self, timed: Callable[[], Costs], samples: int) -> None:
        """Keep what the next block of `samples` samples takes.

        Raises NmcError with the step of the chip and the sample of a FrameError.
        """
        try:
            costs = timed()
        except FrameError as error:
            step, row = divmod(error.frame, samples)
            raise StepError(
                error.where, f"in step {self._timed + step} of sample "
                f"{self.first + self._rows[row]}, both counted from 0, {error.what}",
                error.hint) from error
        end = self._timed + len(costs.step_s) // samples
        self.step_s[self._rows, self._timed : end] = costs.step_s.reshape(-1, samples).T
        if costs.overran is not None:
            self.overran[self._rows, self._timed : end] = costs.overran.reshape(-1, samples).T
        self._timed = end
        if self._setting.single_steps or not self.costs:
            self.costs.append(costs)
        else:
            self.costs[0] = together([self.costs[0], costs])


def together(costs: list[Costs]) -> Costs:
    """What blocks take in all; of their frames, only whether cores can overrun."""
    first, nothing = costs[0], np.zeros(0)
    sums = {name: np.sum([getattr(block, name) for block in costs], axis=0) for name in SUMS}
    late = {name: np.sum([block.late[name] for block in costs], axis=0) for name in first.late}
    return Costs(step_s=nothing, overran=None if first.overran is None else nothing, late=late,
                 **sums)


def part(frames: Frames, begin: int, end: int, rows: Array) -> Frames:
    """Steps `begin` to `end` of `frames`, without it, for the samples `rows` (k,) alone."""
    chosen = (np.arange(begin, end)[:, None] * frames.samples + rows).reshape(-1)
    first, lengths = frames.start[chosen], np.diff(frames.start)[chosen]
    start = np.concatenate([[0], np.cumsum(lengths)])
    spikes = np.repeat(first - start[:-1], lengths) + np.arange(start[-1])
    return Frames(samples=len(rows), start=start, sender=frames.sender[spikes],
                  payload=frames.payload[spikes])
