"""A closed loop: an environment that acts on a device, which acts on the environment."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nmcompile.build import Build
from nmcompile.device import Device, Stepping, stepping_device
from nmcompile.errors import LoopError, NmcError
from nmcompile.files import replaced_file
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.passes.quantize import payloads
from nmcompile.simulation import TIMING, timing_of
from nmcompile.simulator import Run, simulate

MOST_PERIODS = 1000  # of an episode whose environment does not end it, unless the user says more
MOST_BYTES = 1 << 30  # of all that is sent in an episode
LIMITS = {"missed": "number of deadlines that were missed, as measured",
          "outputs": "share of the outputs' numbers that differ from the simulator's"}


class Loop(Protocol):
    """What the user's own code gives: an environment, and what lies between it and the network.

    env       of Gymnasium's interface: reset(seed=) and step(action)
    period_s  seconds that a step of the environment stands for, in which the device must answer
    steps     steps of the network in each of them; the network goes on from one to the next
    """

    env: Any
    period_s: float
    steps: int

    def encode(self, observation: Any) -> Mapping[str, Array]:
        """What each input sends in a period: name -> (steps, *shape) of the model's values."""

    def decode(self, outputs: Mapping[str, Array]) -> Any:
        """The action, from each output's variable in this period: name -> (steps, *shape)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """One run of the environment, from its reset to its end.

    ended      "terminated" or "truncated" as Gymnasium has it, or "cut off" at the most periods
    rewards    (periods,) of each
    host_s     (periods,) measured seconds from an observation to its action
    chip_s     (periods,) seconds that the model of the chip's time takes for the same steps
    values     numbers that the outputs gave
    differing  those of them that are not the simulator's for the same inputs
    overruns   steps that overrun in the model of the chip's time, None where it does not tell
    info       finite numbers that the environment told last
    """

    rewards: Array
    ended: str
    host_s: Array
    chip_s: Array
    values: int
    differing: int
    overruns: int | None
    info: dict[str, float]

    @property
    def reward(self) -> float:
        """Sum over its periods."""
        return float(sum(self.rewards.tolist()))


def run_episode(
    build: Build, device: Device, loop: Loop, *, seed: int, most: int = MOST_PERIODS,
    progress: Callable[[int], None] = lambda periods: None,
) -> Episode:
    """Run an episode on `device`, which has the program of `build`.

    seed  of the environment
    most  periods after which an episode is cut off

    Raises NmcError where the device does not run step by step, or the user's code fails.
    """
    stepping = stepping_device(device)
    steps, _ = _pace(loop)
    _require_size(steps, build.program, most)
    player = _Player(build.program, stepping, loop)
    player.warm_up()
    with _their("env.reset"):
        observation, _ = loop.env.reset(seed=seed)
    stepping.begin()
    rewards: list[float] = []
    ended = ""
    while not ended:
        action = player.answer(observation)
        with _their("env.step"):
            observation, earned, terminated, truncated, info = loop.env.step(action)
            rewards.append(_finite(earned))
            told = {str(name): float(value) for name, value in dict(info).items()
                    if _is_number(value)}
        periods = len(player.host_s)
        ended = ("terminated" if terminated else "truncated" if truncated
                 else "cut off" if periods == most else "")
        progress(periods)
    run, values, differing = player.against_the_simulator()
    step_s = run.step_s[0, : run.steps]
    return Episode(
        rewards=np.array(rewards), ended=ended, host_s=np.array(player.host_s),
        chip_s=step_s.reshape(-1, steps).sum(axis=1), values=values, differing=differing,
        overruns=None if run.overran is None else int(np.count_nonzero(run.overran)), info=told)


def _finite(reward: Any) -> float:
    value = float(reward)
    if not np.isfinite(value):
        raise ValueError(f"gives a reward of {value}")
    return value


def _is_number(value: Any) -> bool:
    if not isinstance(value, numbers.Real | np.generic | np.ndarray):
        return False
    kind = np.asarray(value)
    return kind.ndim == 0 and kind.dtype.kind in "biuf" and bool(np.isfinite(kind))


class _Player:
    """The device between observations and actions.

    host_s  seconds of each period so far
    """

    def __init__(self, program: Program, device: Stepping, loop: Loop) -> None:
        self._program, self._device, self._loop = program, device, loop
        self._steps, _ = _pace(loop)
        self._sent: dict[str, list[Array]] = {port.name: [] for port in program.network.inputs}
        self._given: dict[str, list[Array]] = {port.name: [] for port in program.network.outputs}
        self.host_s: list[float] = []

    def warm_up(self) -> None:
        """Run a silent step, so that no deadline is missed by what is made at the first one."""
        self._device.begin()
        self._device.step({port.name: np.zeros(port.shape, np.int32)
                           for port in self._program.network.inputs})

    def answer(self, observation: Any) -> Any:
        """The action that the device answers to an observation; how long it took is kept."""
        begin = time.perf_counter()
        with _their("encode"):
            values = self._loop.encode(observation)
        sent = self._payloads(values)
        given = [self._device.step({name: steps[i] for name, steps in sent.items()})
                 for i in range(self._steps)]
        outputs = {name: np.stack([step[name] for step in given]) for name in self._given}
        with _their("decode", f"It is given {', '.join(map(repr, outputs))}."):
            action = self._loop.decode(outputs)
        self.host_s.append(time.perf_counter() - begin)
        for name, steps in sent.items():
            self._sent[name].append(steps)
        for name, steps in outputs.items():
            self._given[name].append(steps)
        return action

    def _payloads(self, values: Any) -> dict[str, Array]:
        """What the inputs send, from what `encode` gives."""
        ports = {port.name: port for port in self._program.network.inputs}
        if not isinstance(values, Mapping) or set(values) != set(ports):
            names = (", ".join(map(str, values)) or "nothing" if isinstance(values, Mapping)
                     else f"a {type(values).__name__}, no dict")
            raise LoopError("encode", f"gives {names}; the network's inputs are "
                            f"{', '.join(ports)}")
        with _their("encode"):
            arrays = {name: np.asarray(values[name]) for name in ports}
        for name, port in ports.items():
            given, expected = arrays[name], (self._steps, *port.shape)
            if given.dtype.kind not in "biuf":
                raise LoopError("encode", f"gives '{name}' of {given.dtype}, expected numbers")
            if given.shape != expected or not np.isfinite(given).all():
                raise LoopError("encode", f"gives '{name}' of shape {given.shape}, "
                                f"expected finite numbers {expected}")
        return {name: payloads(port, arrays[name]) for name, port in ports.items()}

    def against_the_simulator(self) -> tuple[Run, int, int]:
        """The chip's model of the same inputs, numbers of the outputs, and how many differ.

        The chip's answer lags; what it gave in the first steps answers nothing.
        """
        network = self._program.network
        sent = {name: np.concatenate(parts)[None] for name, parts in self._sent.items()}
        record = tuple(f"{port.population}:{port.variable}" for port in network.outputs)
        run = simulate(self._program, sent, record=record,
                       timing=timing_of(self._program, TIMING))
        values, differing = 0, 0
        for port in network.outputs:
            given, lag = np.concatenate(self._given[port.name]), network.lags[port.population]
            answered = given[lag:]
            expected = run.records[port.population][port.variable][0, : len(answered)]
            values, differing = values + given[lag:].size, differing + int(
                np.count_nonzero(answered != expected))
        return run, values, differing


def _pace(loop: Loop) -> tuple[int, float]:
    """Steps and seconds of a period. Raises NmcError where a loop lacks or garbles something."""
    for name in ("env", "period_s", "steps", "encode", "decode"):
        if not hasattr(loop, name):
            raise LoopError("--loop", f"gives a {type(loop).__name__} without '{name}'",
                            "It gives env, period_s, steps, encode and decode.")
    whole = isinstance(loop.steps, numbers.Integral) and loop.steps >= 1
    if not whole or not _is_number(loop.period_s) or loop.period_s <= 0:
        raise LoopError("--loop", f"has steps {loop.steps!r} and period_s {loop.period_s!r}, "
                        "expected a whole number from 1 on, and seconds")
    return int(loop.steps), float(loop.period_s)


def _require_size(steps: int, program: Program, most: int) -> None:
    size = 4 * most * steps * sum(port.size for port in program.network.inputs)
    if size > MOST_BYTES:
        raise LoopError("--loop", f"an episode sends up to {size:,} bytes, at most "
                        f"{MOST_BYTES:,} are kept", "Give fewer --periods.")


@contextmanager
def _their(what: str, names: str = "") -> Iterator[None]:
    """Say in one line what the user's own code raises in this block, and where.

    names  of what it may look up
    """
    try:
        yield
    except NmcError:
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else (
            f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})")
        raise LoopError("--loop", f"{what} fails: {type(error).__name__}: {error}{place}",
                        names if isinstance(error, KeyError) else "") from error


def loop_figures(
    build: Build, device: Device, loop: Loop, episodes: list[Episode]
) -> dict[str, Any]:
    """What `nmc validate --loop` prints, as plain values."""
    steps, period_s = _pace(loop)
    host, chip = (np.concatenate([getattr(e, name) for e in episodes])
                  for name in ("host_s", "chip_s"))
    return {
        "device": device.name, "target": build.program.target.name,
        "period_s": period_s, "steps_per_period": steps, "periods": len(host),
        "latency_steps": max(build.program.latency.values()),
        "unanswered_steps": [build.program.network.lags[port.population]
                             for port in build.program.network.outputs],
        "host": _deadlines(host, period_s),
        "chip": {"timing": TIMING, **_deadlines(chip, period_s), "overruns": _overruns(episodes)},
        "outputs": {"values": sum(e.values for e in episodes),
                    "differing": sum(e.differing for e in episodes)},
        "episodes": [{"periods": len(e.host_s), "ended": e.ended, "reward": e.reward,
                      "info": e.info} for e in episodes],
    }


def write_trace(path: Path, episodes: list[Episode]) -> None:
    """Write what each period took and earned as .npz: arrays (periods,) of all episodes in a row.

    episode  its number; reward; host_s measured, and chip_s by the chip's model
    """
    arrays = {"reward": [e.rewards for e in episodes], "host_s": [e.host_s for e in episodes],
              "chip_s": [e.chip_s for e in episodes],
              "episode": [np.full(len(e.host_s), i) for i, e in enumerate(episodes)]}
    with replaced_file(path) as fresh, fresh.open("wb") as file:
        np.savez_compressed(file, **{  # type: ignore[arg-type]
            name: np.concatenate(parts) for name, parts in arrays.items()})


def _overruns(episodes: list[Episode]) -> int | None:
    counts = [e.overruns for e in episodes if e.overruns is not None]
    return sum(counts) if counts else None


def _deadlines(seconds: Array, period_s: float) -> dict[str, float]:
    return {"median_s": float(np.median(seconds)), "p99_s": float(np.quantile(seconds, 0.99)),
            "most_s": float(seconds.max()), "missed": int((seconds > period_s).sum())}
