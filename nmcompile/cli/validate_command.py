"""`nmc validate`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from nmcompile.cli._complete import REFERENCES, builds, devices, paths, words
from nmcompile.cli._options import coding_options, device_options, event_options
from nmcompile.coding import Coding
from nmcompile.errors import OptionsError
from nmcompile.frontends.events import EventOptions

OF_LOOPS = ("folder", "device", "options", "code", "episodes", "periods", "seed", "limits",
            "output", "as_json")


@click.command("validate")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), shell_complete=builds)
@click.option("--device", required=True, metavar="NAME[:ADDRESS]", shell_complete=devices,
              help="What runs the build: sim, lava, xylosim, spinnaker:HOST, file:RECORDING, "
              "remote:HOST:PORT, or one of a package.")
@click.option("--device-option", "options", multiple=True, metavar="NAME=VALUE",
              help="Options of the device.")
@click.option("--input", "data", type=click.Path(path_type=Path),
              help="Data: .npz with x and labels y, .npy, .pt, images, recordings (docs/data.md).")
@click.option("--loop", "code", metavar="FILE.py:NAME|MODULE:NAME",
              shell_complete=paths(".py"),
              help="In place of data: your own function that gives an environment with encode and "
              "decode; runs that file.")
@click.option("--episodes", type=click.IntRange(1, 100_000), default=1, show_default=True,
              help="With --loop: runs of the environment.")
@click.option("--periods", type=click.IntRange(1, 10_000_000), default=1000, show_default=True,
              help="With --loop: steps of the environment after which a run is cut off.")
@click.option("--steps", type=click.IntRange(1, 10_000_000), help="Steps for each sample.")
@coding_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Seed of --encode rate, and of the first run of an environment.")
@click.option("--against", default="sim", show_default=True, metavar="sim|integer|float",
              shell_complete=words(*REFERENCES),
              help="The compiled program simulated, its integer network, or the float network.")
@click.option("--samples", type=click.IntRange(1), help="Use only the first N samples.")
@click.option("--batch", type=click.IntRange(1), help="Samples that are run and kept at once.")
@click.option("--tau", type=float, default=10.0, show_default=True,
              help="Time constant of van Rossum's distance in steps.")
@click.option("--cost", type=float, default=0.1, show_default=True,
              help="Victor and Purpura's cost q of moving a spike by one step.")
@click.option("--fail-above", "limits", multiple=True, metavar="X|NAME=X,...",
              help="Exit code 1 above X: spikes (a share), count, van-rossum, victor-purpura, "
                   "states, decisions, accuracy; with --loop: missed (deadlines), outputs.")
@click.option("--resume", is_flag=True, help="Go on with a run that did not end.")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Run file (.npz) of what the device gave; with --loop, of what each period took "
              "and earned.")
@event_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path,
    device: str,
    options: tuple[str, ...],
    data: Path | None,
    code: str | None,
    episodes: int,
    periods: int,
    steps: int | None,
    encoding: Coding,
    seed: int,
    against: str,
    samples: int | None,
    batch: int | None,
    tau: float,
    cost: float,
    limits: tuple[str, ...],
    resume: bool,
    output: Path | None,
    events: EventOptions,
    as_json: bool,
) -> int:
    """Run the build in DIR on a device and hold it against what was compiled."""
    from nmcompile import api
    from nmcompile.cli._loop import Episodes, print_loop, run_loop
    from nmcompile.cli._progress import events_bar, steps_bar
    from nmcompile.cli._render import print_json
    from nmcompile.cli._validate_tables import print_validation
    from nmcompile.device import Place
    from nmcompile.files import require_apart
    from nmcompile.validation.comparison import Metric
    from nmcompile.validation.limits import parse_limits

    name, _, address = device.partition(":")
    place = Place(address=address, options=device_options(options))
    if code is not None:
        _require_loop_alone()
        told = run_loop(folder, code, (name, place), Episodes(episodes, periods, seed), limits,
                        output)
        print_json(told) if as_json else print_loop(told)
        return int(any(limit["exceeded"] for limit in told["limits"]))
    _require_loop_for("episodes", "periods")
    if data is None:
        raise OptionsError("--input", "is missing", "Name the data, or an environment with --loop.")
    require_apart({"--input": data, "-o": output})
    asked = api.Asked(
        steps=steps, encoding=encoding, seed=seed, against=against, samples=samples, batch=batch,
        metric=Metric(tau=tau, cost=cost), limits=parse_limits(limits), resume=resume,
        output=output)
    build = api.read_build(folder)
    with events_bar() as count:
        values = api.read_data(data, events, count)
    with steps_bar("validate") as advance:
        figures = api.validate(build, values, name, place=place, asked=asked, progress=advance,
                               where=str(data))
    if as_json:
        print_json(figures)
    else:
        print_validation(figures)
    return int(any(limit["exceeded"] for limit in figures["limits"]))


def _require_loop_for(*options: str) -> None:
    """Refuse options that say nothing without a closed loop."""
    context = click.get_current_context()
    for option in options:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise OptionsError(f"--{option}", "is of use only with --loop", "Leave it out.")


def _require_loop_alone() -> None:
    """Refuse options that say nothing of a closed loop."""
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is ParameterSource.COMMANDLINE and option.name not in OF_LOOPS:
            raise OptionsError(option.opts[-1], "is of no use with --loop", "Leave it out.")
