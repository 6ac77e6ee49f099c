"""Samples stop once their output is decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.errors import OptionsError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program


@dataclass(frozen=True, kw_only=True)
class Exit:
    """When a sample stops: the Dynamic Confidence of Li, Jones and Furber (ICCV 2023).

    The confidence of step t is the largest entry of softmax(score / scale), with the first output's
    score summed over the steps up to t. A sample stops after the first step in which it is at least
    `confidence`.

    scale  units of score that count as 1
    """

    confidence: float
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Exits:
    """When samples stopped.

    at          what they were to stop at
    lag         steps of the chip by which the first output is behind the network's time
    steps       (samples,) int64 steps of the network until the output was decided, or all
    confidence  (samples, steps) float64 of each step, 0 in those that did not run
    decided     (samples, steps) int32 entry with the largest score, -1 in those that did not run
    """

    at: Exit
    lag: int
    steps: Array
    confidence: Array
    decided: Array


class Watch:
    """Decides when the samples of a batch stop.

    last  (samples,) step of the chip that is the last one of each sample, as far as is known
    """

    def __init__(
        self, program: Program, exit_at: Exit, samples: int, steps: int, chip_steps: int
    ) -> None:
        lag = program.network.lags[program.network.outputs[0].population]
        self._steps, self.last = steps, np.full(samples, chip_steps - 1)
        self.exits = Exits(
            at=exit_at, lag=lag, steps=np.full(samples, steps),
            confidence=np.zeros((samples, steps)),
            decided=np.full((samples, steps), -1, np.int32))

    def look(self, step: int, rows: Array, score: Array) -> None:
        """Take in the first output's `score` (k, *shape) after `step` of the samples `rows`."""
        exits, flat = self.exits, score.reshape(len(rows), prod(score.shape[1:]))
        certain = confidence(flat, exits.at.scale)
        exits.confidence[rows, step] = certain
        exits.decided[rows, step] = flat.argmax(axis=1)
        if step < self._steps - 1:
            leaving = rows[certain >= exits.at.confidence]
            exits.steps[leaving], self.last[leaving] = step + 1, step + exits.lag

    def ends(self, lag: int) -> Array:
        """(samples,) steps that count of a population that lags the network's time by `lag`."""
        return np.minimum(self.exits.steps, np.maximum(self.last + 1 - lag, 0))


def confidence(score: Array, scale: float) -> Array:
    """(samples,) the largest entry of the softmax of `score` (samples, classes) over `scale`."""
    scaled = score / scale
    return 1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)


def require_decision(program: Program) -> None:
    """Raise NmcError where the first output has nothing to decide between."""
    port = program.network.outputs[0]
    if program.network.population(port.population).size < 2:
        raise OptionsError("--exit-confidence", f"the output '{port.name}' has one value, there is "
                           "nothing to decide between")


def joined(parts: list[Exits]) -> Exits:
    """The samples of several batches after each other."""
    return replace(
        parts[0], steps=np.concatenate([part.steps for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        decided=np.concatenate([part.decided for part in parts]))
