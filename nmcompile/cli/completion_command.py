"""`nmc completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_NMC_COMPLETE"  # by which the script asks nmc
# Its lines are kept apart by click's mark for such a paragraph.
HELP = """Print the script that completes verbs, options, targets, devices and files in SHELL.

\b
bash: add to ~/.bashrc       eval "$(nmc completion bash)"
zsh:  add to ~/.zshrc        eval "$(nmc completion zsh)"
fish: type once              nmc completion fish > ~/.config/fish/completions/nmc.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """See HELP."""
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(context.find_root().command, {}, "nmc", VARIABLE).source())
