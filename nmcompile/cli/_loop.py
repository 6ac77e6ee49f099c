"""Closed loops of `nmc validate`: the run, and what is printed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from nmcompile.cli._render import counted
from nmcompile.cli._terminal import say
from nmcompile.device import Place, stepping_device
from nmcompile.errors import OptionError
from nmcompile.files import require_place


class Episodes(NamedTuple):
    """How often an environment runs, for how long at most, and the seed of the first time."""

    number: int
    periods: int
    seed: int


def run_loop(
    folder: Path, code: str, device: tuple[str, Place], episodes: Episodes,
    limits: tuple[str, ...] = (), output: Path | None = None,
) -> dict[str, Any]:
    """Let the network of the build in `folder` act on the environment that `code` gives.

    limits  of --fail-above; output  file (.npz) of what each period took and earned
    """
    from nmcompile import api, registry
    from nmcompile.cli._progress import steps_bar
    from nmcompile.frontends.loading.code_file import load_code, make
    from nmcompile.validation.limits import judged, parse_limits
    from nmcompile.validation.loop import LIMITS, loop_figures, run_episode, write_trace

    bounds = parse_limits(limits, LIMITS, "missed")
    if output is not None:
        require_place(output)
        if output.suffix != ".npz":
            raise OptionError(str(output), f"ends with '{output.suffix}', expected .npz")
    build = api.read_build(folder)
    loop = make(load_code(code, "--loop")[1], code, "--loop", "the loop")
    name, place = device
    runner, done = registry.device(name), []
    stepping_device(runner)
    total = episodes.number * episodes.periods
    try:
        runner.open(place)
        runner.load(build.program, build.folder / "config")
        with steps_bar("loop", unit="periods") as advance:
            for number in range(episodes.number):
                done.append(run_episode(
                    build, runner, loop, seed=episodes.seed + number, most=episodes.periods,
                    progress=lambda _: advance(1, total)))
    finally:
        runner.close()
    told = loop_figures(build, runner, loop, done)
    told["limits"] = judged(bounds, {
        "missed": told["host"]["missed"],
        "outputs": told["outputs"]["differing"] / max(1, told["outputs"]["values"])})
    if output is not None:
        write_trace(output, done)
    return told


def print_loop(told: dict[str, Any]) -> None:
    """Print the figures of a closed loop."""
    period, outputs = told["period_s"], told["outputs"]
    say(f"loop      {counted(len(told['episodes']), 'episode')} on {told['device']}, "
        f"{counted(told['periods'], 'period')} of {1e3 * period:g} ms with "
        f"{told['steps_per_period']} steps of the network; its answer lags by "
        f"{told['latency_steps']} steps")
    for name, kind in (("host", "measured"), ("chip", f"{told['chip']['timing']} timing")):
        times = told[name]
        say(f"{name}      median {1e3 * times['median_s']:.3g} ms a period, 99 % within "
            f"{1e3 * times['p99_s']:.3g} ms, at most {1e3 * times['most_s']:.3g} ms "
            f"({kind}); {times['missed']:,} of {told['periods']:,} deadlines missed")
    say(f"outputs   {outputs['differing']:,} of {outputs['values']:,} numbers differ from "
        "the simulator's for the same inputs (in an episode's first steps, "
        f"{max(told['unanswered_steps'])} at most, nothing is answered)")
    if told["chip"]["overruns"]:
        say(f"late      {told['chip']['overruns']:,} steps overrun on {told['target']}; "
            "what is answered late counts in the step in which it comes")
    for number, episode in enumerate(told["episodes"]):
        info = "".join(f", {name} {value:.4g}" for name, value in episode["info"].items())
        info = f"; the environment told last{info[1:]}" if info else ""
        say(f"episode {number} {counted(episode['periods'], 'period')}, {episode['ended']}, "
            f"reward {episode['reward']:.4g}{info}")
    for limit in told["limits"]:
        word = "above" if limit["exceeded"] else "within"
        say(f"limit     {limit['name']} {limit['value']:.4g} is {word} {limit['limit']:g}")
