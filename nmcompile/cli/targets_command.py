"""`nmc targets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import paths, target_or_file
from nmcompile.cli._render import print_json
from nmcompile.cli._terminal import say, show_table

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("targets", invoke_without_command=True)
@JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the installed targets; show or check one."""
    from nmcompile.target import installed, load_target

    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json goes behind the command: nmc targets show NAME --json")
        return
    targets = [load_target(name) for name in installed()]
    if as_json:
        print_json({target.name: _counts(target) for target in targets})
        return
    show_table(("target", "chip", "cores", "constants", "estimated"), [
        (target.name, target.title, f"{target.n_cores:,}", f"{len(target.constants()):,}",
         f"{len(target.estimates()):,}") for target in targets], text=("chip",))


@command.command("show")
@click.argument("name", shell_complete=target_or_file)
@JSON
def show(name: str, as_json: bool) -> None:
    """Every constant of a target with its unit, kind, source and, if it is known, its error."""
    from nmcompile.target import load_target

    target = load_target(name)
    if as_json:
        print_json({**_counts(target), "name": target.name, "backend": target.family,
                    "constants": {field: constant.model_dump(mode="json", exclude_none=True)
                                  for field, constant in target.constants().items()}})
        return
    say(f"{target.name}: {target.title} (backend {target.family})")
    for field, constant in target.constants().items():
        say(f"{field:24} {constant.value} {constant.unit} [{constant.kind}]  {constant.source}"
            f"{_error(constant)}")


def _counts(target: Any) -> dict[str, Any]:
    return {"title": target.title, "cores": target.n_cores,
            "constants": len(target.constants()), "estimated": len(target.estimates())}


def _error(constant: Any) -> str:
    if constant.spread is None:
        return ""
    ends = (f"error {100 * constant.error:g} %" if constant.error is not None
            else f"{constant.low:g} to {constant.high:g}")
    return f" [{ends}]  {constant.spread}"


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path), shell_complete=paths(".toml"))
@JSON
def check(file: Path, as_json: bool) -> None:
    """Check a target file; the first wrong field is named."""
    from nmcompile.registry import backend
    from nmcompile.target import read_target

    target = read_target(file)
    backend(target.family)
    if as_json:
        print_json({"name": target.name, **_counts(target)})
        return
    say(f"{file}: {target.name} is complete, {len(target.constants())} constants, "
        f"{len(target.estimates())} estimated")
