"""How far work has come, on stderr: a bar on a terminal, else for long runs a line at times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

EVERY_S, LINE_EVERY_S = 0.1, 60.0  # between updates of a bar, and between lines
STAGE_S = 20.0  # between stages of which a line is told
Advance = Callable[[int, int], None]


def progress_bar(*told: ProgressColumn) -> Progress:
    """A bar on stderr with the columns `told` in it, silent where stderr is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), *told,
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def stages_bar() -> Iterator[Callable[[str], None]]:
    """A function that is told each stage as it begins.

    Where stderr is no terminal, it tells of a stage that begins STAGE_S or more after what was
    told last.
    """
    with progress_bar() as bar:
        task, last = bar.add_task("load", total=None), [time.monotonic()]

        def tell(stage: str) -> None:
            bar.update(task, description=stage)
            if bar.disable and time.monotonic() - last[0] > STAGE_S:
                click.echo(f"nmc: {stage}", err=True)
                last[0] = time.monotonic()

        yield tell


@contextmanager
def steps_bar(what: str) -> Iterator[Advance]:
    """A function that is told further steps of samples and how many there are in all."""
    with progress_bar(TextColumn("{task.fields[told]}")) as bar:
        if bar.disable:
            yield _Lines(what).advance
            return
        task = bar.add_task(what, total=None, told="")
        pace = _Pace(EVERY_S)

        def advance(steps: int, total: int) -> None:
            if pace.is_due(steps, total):
                bar.update(task, completed=pace.done, total=total, told=pace.told(total))

        yield advance


@contextmanager
def events_bar() -> Iterator[Callable[[int], None]]:
    """A function that is told further events which were read."""
    with progress_bar(TextColumn("{task.fields[told]}")) as bar:
        task, count = bar.add_task("read", total=None, told=""), 0

        def advance(events: int) -> None:
            nonlocal count
            count += events
            bar.update(task, told=f"{count:,} events")

        yield advance


class _Pace:
    """How many steps are done, and whether it is time to tell."""

    def __init__(self, every_s: float) -> None:
        self._every_s, self._begun = every_s, time.monotonic()
        self._last, self.done = self._begun, 0

    def is_due(self, steps: int, total: int) -> bool:
        self.done += steps
        now = time.monotonic()
        if now - self._last < self._every_s and self.done < total:
            return False
        self._last = now
        return True

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def told(self, total: int) -> str:
        rate = self.done / max(self.seconds, 1e-9)
        return f"{100 * self.done / total:.1f} % of {total:,} steps of samples, {rate:,.0f}/s"


class _Lines:
    """A line each minute, none in a run of less."""

    def __init__(self, what: str) -> None:
        self._what, self._pace = what, _Pace(LINE_EVERY_S)

    def advance(self, steps: int, total: int) -> None:
        pace = self._pace
        if pace.is_due(steps, total) and pace.done < total:
            left = pace.seconds * (total - pace.done) / max(pace.done, 1)
            click.echo(
                f"nmc: {self._what}: {pace.told(total)}, about {left / 60:,.0f} min left", err=True)
