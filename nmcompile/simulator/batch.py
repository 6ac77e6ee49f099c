"""One batch of samples as it runs: what the engine tells is disturbed, logged and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Costs, Program, Timing
from nmcompile.simulator.engine import Sent
from nmcompile.simulator.exits import Exit, Watch
from nmcompile.simulator.frames import Collector
from nmcompile.simulator.log import Log
from nmcompile.simulator.perturb import Disturbance
from nmcompile.simulator.records import Records

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What all batches of a run share.

    steps        of the network for each sample; the chip runs `chip_steps`
    progress     told how many further steps of samples are done
    single_steps  whether each step is timed by itself, and not in blocks of many
    """

    program: Program
    timing: Timing
    records: Records
    steps: int
    exit_at: Exit | None = None
    disturbance: Disturbance | None = None
    progress: Progress = lambda frames: None
    single_steps: bool = False

    @property
    def chip_steps(self) -> int:
        """Steps until the last population has answered."""
        return self.steps + max(self.program.latency.values())


class Batch:
    """What is known of a batch so far.

    step    that the chip is in
    step_s  (samples, chip_steps) seconds of each step, 0 where a sample did not run
    ran     (samples,) int64 steps of the chip that each sample ran
    costs   of each block
    """

    def __init__(self, setting: Setting, first: int, samples: int) -> None:
        program = setting.program
        self._setting, self._first, self.step = setting, first, 0
        self.log = Log(program, samples, setting.steps, setting.records)
        self.watch = (
            Watch(program, setting.exit_at, samples, setting.steps) if setting.exit_at else None)
        self._collector = Collector(program.network, samples)
        self.step_s = np.zeros((samples, setting.chip_steps))
        self.ran = np.full(samples, setting.chip_steps)
        self.costs: list[Costs] = []
        setting.timing.begin(samples)
        setting.records.begin(first, samples)

    def listen(self, step: int, sent: Sent, states: dict[str, State]) -> Array | None:
        """Take in a step; (k,) places of the samples that go on, None where all do.

        Changes what is sent where that is disturbed.
        """
        setting, rows, self.step = self._setting, self.log.rows, step
        if setting.disturbance is not None:
            setting.disturbance.apply(sent, self._first + rows, step, setting.steps)
        self.log.add(step, sent, states)
        self._collector.add(sent)
        staying = None if self.watch is None else self.watch.staying(step, self.log)
        last = step == setting.chip_steps - 1
        if last or staying is not None or setting.single_steps or self._collector.full:
            self._take(step)
        setting.progress(len(rows))
        if staying is not None:
            self._leave(step, staying)
        return staying

    def end(self) -> None:
        """All steps are over."""
        self._setting.records.end()

    def _take(self, step: int) -> None:
        costs, rows = self._setting.timing.add(self._collector.take()), self.log.rows
        step_s = costs.step_s.reshape(-1, len(rows)).T
        self.step_s[rows, step + 1 - step_s.shape[1] : step + 1] = step_s
        self.costs.append(costs)

    def _leave(self, step: int, staying: Array) -> None:
        setting, rows = self._setting, self.log.rows
        self.ran[rows] = step + 1
        self.log.rows = rows[staying]
        self.ran[self.log.rows] = setting.chip_steps
        self._collector = Collector(setting.program.network, len(staying))
        setting.timing.keep(staying)
        setting.progress((len(rows) - len(staying)) * (setting.chip_steps - 1 - step))
