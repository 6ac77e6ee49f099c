"""How far work has come, on stderr: live on a terminal, else for long runs a line at times."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from nmcompile.cli._meter import Meter, counted, duration, line_of
from nmcompile.cli._terminal import coloured, is_quiet

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from nmcompile.ir import Network

A_SECOND = 4  # times that what is live is drawn anew
LINE_EVERY_S = 60.0  # between lines where stderr is no terminal
STAGE_S = 20.0  # between stages of which a line is told there
Lines = Callable[[int], list[str]]  # of so many columns at most


def is_live() -> bool:
    """Whether stderr is a terminal that can be drawn on."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


@contextmanager
def stages_bar(many: int = 0) -> Iterator[Callable[[str], None]]:
    """A function that is told each stage as it begins.

    many  how many stages there are, 0 where that is not known

    Where stderr is no terminal, it tells of a stage that begins STAGE_S or more after what was
    told last.
    """
    stages, last, plain = _Stages(many), [time.monotonic()], not (is_quiet() or is_live())

    def tell(stage: str) -> None:
        stages.begin(stage)
        if plain and time.monotonic() - last[0] > STAGE_S:
            click.echo(f"nmc: {stage}", err=True)
            last[0] = time.monotonic()

    with _live(stages.lines):
        yield tell


@contextmanager
def steps_bar(
    what: str, layers: Sequence[tuple[str, int]] = (), unit: str = "steps of samples"
) -> Iterator[Meter]:
    """A meter that is told further steps of samples, how many there are in all, and spikes.

    layers  name and neurons of those whose spikes are told

    Where stderr is no terminal, a line is told each minute, none in a run of less.
    """
    meter = (Meter if is_live() or is_quiet() else _Lines)(what, layers, unit)
    with _live(meter.lines):
        yield meter


def layers_of(network: Network) -> list[tuple[str, int]]:
    """Name and lines or neurons of all inputs and populations, in the network's order."""
    inputs = [(port.name, port.size) for port in network.inputs]
    return inputs + [(population.name, population.size) for population in network.populations]


@contextmanager
def events_bar() -> Iterator[Callable[[int], None]]:
    """A function that is told further events which were read."""
    count, begun = 0, time.monotonic()

    def advance(events: int) -> None:
        nonlocal count
        count += events

    def lines(columns: int) -> list[str]:
        rate = count / max(time.monotonic() - begun, 1e-9)
        return [line_of("read", None, [(f"{count:,} events", 1), (f"{counted(rate)}/s", 2)],
                        columns)] if count else []

    with _live(lines):
        yield advance


@contextmanager
def parts_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many parts of `total` are done."""
    done, begun = 0, time.monotonic()

    def tell(now: int) -> None:
        nonlocal done
        done = now

    def lines(columns: int) -> list[str]:
        lasted = time.monotonic() - begun
        left = [(f"{duration(lasted * (total - done) / done)} left", 1)] if done else []
        return [line_of(what, done / max(1, total), left, columns)]

    with _live(lines):
        yield tell


class _Stages:
    """The stage that runs and those before it, with how long each took."""

    def __init__(self, many: int) -> None:
        self._many, self._count = many, 0
        self._begun = self._since = time.monotonic()
        self._now, self._before = "", dict[str, float]()

    def begin(self, stage: str) -> None:
        now = time.monotonic()
        if self._now:
            kind = self._now.split()[0]  # "quantize lif1" is a part of "quantize"
            self._before[kind] = self._before.get(kind, 0.0) + now - self._since
        self._now, self._since, self._count = stage, now, self._count + 1

    def lines(self, columns: int) -> list[str]:
        if not self._now:
            return []
        now = time.monotonic()
        share = (self._count - 1) / self._many if self._many else None
        told = [line_of(self._now, share, [
            (duration(now - self._since), 1), (f"in all {duration(now - self._begun)}", 2)],
            columns)]
        before = [f"{kind} {seconds:.1f} s" for kind, seconds in list(self._before.items())]
        while before and len(", ".join(before)) >= columns:
            del before[0]
        return told + ([", ".join(before)] if before else [])


class _Lines(Meter):
    """A line each minute, none in a run of less."""

    told_s = 0.0

    def __call__(self, steps: int, total: int) -> None:
        super().__call__(steps, total)
        if self.seconds - self.told_s < LINE_EVERY_S or self.done >= total:
            return
        self.told_s = self.seconds
        left = self.left_s
        rest = "" if left is None else f", about {left / 60:,.0f} min left"
        click.echo(f"nmc: {self.what}: {self.told()}{rest}", err=True)


class _View:
    """What is drawn: lines that are made anew each time, no wider than the terminal is then."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        for number, line in enumerate(self._lines(options.max_width - 1)):
            yield Text(line, style="dim" if number else "", no_wrap=True, overflow="crop")


def _live(lines: Lines) -> Any:
    """Draws `lines` while its block runs, and leaves nothing behind; for terminals alone."""
    if is_quiet() or not is_live():
        return nullcontext()
    from rich.console import Console
    from rich.live import Live

    colours = coloured(sys.stderr)
    console = Console(stderr=True, force_terminal=True, legacy_windows=False,
                      color_system="standard" if colours else None)
    return Live(_View(lines), console=console, transient=True, refresh_per_second=A_SECOND)
