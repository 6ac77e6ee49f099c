"""`nmc targets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.group("targets", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the installed targets; show or check one."""
    from nmcompile.target import installed, load_target

    if context.invoked_subcommand is None:
        for name in installed():
            target = load_target(name)
            click.echo(
                f"{name:12} {target.title}: {target.n_cores:,} cores, "
                f"{len(target.estimates())} of {len(target.constants())} constants estimated"
            )


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Every constant of a target with its unit, kind, source and, if it is known, its error."""
    from nmcompile.target import load_target

    target = load_target(name)
    click.echo(f"{target.name}: {target.title} (backend {target.family})")
    for field, constant in target.constants().items():
        click.echo(
            f"{field:24} {constant.value} {constant.unit} [{constant.kind}]  {constant.source}"
            f"{_error(constant)}"
        )


def _error(constant: Any) -> str:
    if constant.spread is None:
        return ""
    ends = (f"error {100 * constant.error:g} %" if constant.error is not None
            else f"{constant.low:g} to {constant.high:g}")
    return f" [{ends}]  {constant.spread}"


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a target file; the first wrong field is named."""
    from nmcompile.registry import backend
    from nmcompile.target import read_target

    target = read_target(file)
    backend(target.family)
    click.echo(
        f"{file}: {target.name} is complete, {len(target.constants())} constants, "
        f"{len(target.estimates())} estimated"
    )
