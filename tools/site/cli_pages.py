"""A page for each verb of `nmc`, from what the command itself says in `--help`, and their table."""

from __future__ import annotations

from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from nmcompile.cli import VERBS, group

PLACE = "<!-- verbs -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each verb."""
    above = click.Context(group, info_name="nmc")
    for verb in VERBS:
        command = group.get_command(above, verb)
        assert command is not None
        text = "\n".join(_lines(command, click.Context(command, above, verb), 1))
        files.append(File.generated(config, f"cli/{verb}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the table of verbs where a page asks for it."""
    if PLACE not in markdown:
        return markdown
    rows = [f"| [`nmc {verb}`]({verb}.md) | {told} |" for verb, told in VERBS.items()]
    return markdown.replace(PLACE, "\n".join(["| verb | what it does |", "|---|---|", *rows]))


def _lines(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """What a command is for, its usage, its options; then the same of its own verbs."""
    yield from (f"{'#' * level} {context.command_path}", "", *_help(command), "")
    yield from ("```text", context.get_usage().removeprefix("Usage: "), "```", "")
    records = [record for parameter in command.get_params(context)
               if (record := parameter.get_help_record(context)) and record[1]]
    rows = [f"| <code>{_cell(names)}</code> | {_cell(told)} |" for names, told in records]
    yield from ("| option | what it does |", "|---|---|", *rows, "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _lines(inner, click.Context(inner, context, name), level + 1)


def _help(command: click.Command) -> Iterator[str]:
    """The help of a command; what click is told not to wrap stays as it is."""
    for block in (command.help or "").split("\n\n"):
        if block.startswith("\b"):
            yield from ("```text", *block.removeprefix("\b").strip("\n").splitlines(), "```", "")
        else:
            yield from (*(_cell(line.strip()) for line in block.splitlines()), "")


def _cell(text: str) -> str:
    """Text that is no markup."""
    return text.replace("|", "&#124;").replace("*", "\\*").replace("<", "&lt;")
