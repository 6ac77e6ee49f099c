"""`nmc loop`: a device in a closed loop with an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("loop")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--loop", "code", required=True, metavar="FILE.py:NAME",
              help="Your own code: a function that gives the environment with encode and decode; "
              "runs that file.")
@click.option("--device", "device_name", default="sim", show_default=True,
              metavar="DEVICE[:ADDRESS]", help="Device that has the network.")
@click.option("--episodes", type=click.IntRange(1, 100_000), default=1, show_default=True,
              help="Runs of the environment.")
@click.option("--periods", type=click.IntRange(1, 10_000_000), default=1000, show_default=True,
              help="Steps of the environment after which an episode is cut off.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of the first episode; the next ones follow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path, code: str, device_name: str, episodes: int, periods: int, seed: int,
    as_json: bool,
) -> None:
    """Let the network of the build in DIR act on an environment, and time each answer."""
    from nmcompile import api, registry
    from nmcompile.cli._progress import steps_bar
    from nmcompile.cli._render import print_json
    from nmcompile.device import Place
    from nmcompile.frontends.loading.code_file import load_code, make
    from nmcompile.validation.loop import loop_figures, run_episode

    build = api.read_build(folder)
    loop = make(load_code(code)[1], code)
    name, _, address = device_name.partition(":")
    device, done = registry.device(name), []
    try:
        device.open(Place(address=address))
        device.load(build.program, build.folder / "config")
        with steps_bar("loop") as advance:
            for episode in range(episodes):
                done.append(run_episode(
                    build, device, loop, seed=seed + episode, most=periods,
                    progress=lambda _: advance(1, episodes * periods)))
    finally:
        device.close()
    told = loop_figures(build, device, loop, done)
    print_json(told) if as_json else _print(told)


def _print(told: dict[str, Any]) -> None:
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
    for number, episode in enumerate(told["episodes"]):
        info = "".join(f", {name} {value:.4g}" for name, value in episode["info"].items())
        click.echo(f"episode {number:<2}{episode['periods']:,} periods, {episode['ended']}, "
                   f"reward {episode['reward']:.4g}{info}")
