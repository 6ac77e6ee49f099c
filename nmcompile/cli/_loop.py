"""Closed loops of `nmc validate`: the run, and what is printed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

from nmcompile.device import Place


class Episodes(NamedTuple):
    """How often an environment runs, for how long at most, and the seed of the first time."""

    number: int
    periods: int
    seed: int


def run_loop(
    folder: Path, code: str, device: tuple[str, Place], episodes: Episodes
) -> dict[str, Any]:
    """Let the network of the build in `folder` act on the environment that `code` gives."""
    from nmcompile import api, registry
    from nmcompile.cli._progress import steps_bar
    from nmcompile.frontends.loading.code_file import load_code, make
    from nmcompile.validation.loop import loop_figures, run_episode

    build = api.read_build(folder)
    loop = make(load_code(code, "--loop")[1], code, "--loop", "the loop")
    name, place = device
    runner, done = registry.device(name), []
    total = episodes.number * episodes.periods
    try:
        runner.open(place)
        runner.load(build.program, build.folder / "config")
        with steps_bar("loop") as advance:
            for number in range(episodes.number):
                done.append(run_episode(
                    build, runner, loop, seed=episodes.seed + number, most=episodes.periods,
                    progress=lambda _: advance(1, total)))
    finally:
        runner.close()
    return loop_figures(build, runner, loop, done)


def print_loop(told: dict[str, Any]) -> None:
    """Print the figures of a closed loop."""
    period, outputs = told["period_s"], told["outputs"]
    click.echo(f"loop      {len(told['episodes']):,} episodes on {told['device']}, "
               f"{told['periods']:,} periods of {1e3 * period:g} ms with "
               f"{told['steps_per_period']} steps of the network; its answer lags by "
               f"{told['latency_steps']} steps")
    for name, kind in (("host", "measured"), ("chip", f"{told['chip']['timing']} timing")):
        times = told[name]
        click.echo(f"{name}      {1e3 * times['median_s']:.3g} ms a period, 99 % within "
                   f"{1e3 * times['p99_s']:.3g} ms, at most {1e3 * times['most_s']:.3g} ms "
                   f"({kind}); {times['missed']:,} of {told['periods']:,} deadlines missed")
    click.echo(f"outputs   {outputs['differing']:,} of {outputs['values']:,} numbers differ from "
               "the simulator's for the same inputs")
    if told["chip"]["overruns"]:
        click.echo(f"late      {told['chip']['overruns']:,} steps overrun on {told['target']}; "
                   "what is answered late counts in the step in which it comes")
    for number, episode in enumerate(told["episodes"]):
        info = "".join(f", {name} {value:.4g}" for name, value in episode["info"].items())
        click.echo(f"episode {number} {episode['periods']:,} periods, {episode['ended']}, "
                   f"reward {episode['reward']:.4g}{info}")
