"""The command `nmc`: verbs are loaded when they are used."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from importlib import import_module
from typing import NoReturn

import click

from nmcompile import __version__
from nmcompile.cli._terminal import QUIET, coloured
from nmcompile.errors import CommandLineError, MemoryShortError, NmcError, one_line

VERBS = {
    "compile": "Compile a trained network for a chip.",
    "quantize": "Show what a chip's integers cost, layer by layer and format by format.",
    "check": "Say whether a network fits a target, without writing anything.",
    "map": "Show how a build lies on its chip, or place it anew.",
    "simulate": "Run a compiled network on the model of its chip.",
    "validate": "Run a build on a device: what differs from it, where first, and why.",
    "serve": "Give a device of this machine to nmc validate on another one.",
    "noc": "Replay packets on a mesh of routers, cycle by cycle.",
    "report": "Show the figures of a build.",
    "compare": "Show builds beside each other, and hold them to bounds.",
    "inspect": "Show the network in a model file or a build.",
    "export": "Write the network in a model file as a NIR graph.",
    "targets": "List, show and check targets.",
    "doctor": "Say what of this environment works, what is missing, and what to do.",
    "completion": "Print the script that completes nmc's words in a shell.",
    "explain": "Say what the code of an error means, and what to do.",
    "demo": "Compile and simulate the network that comes with nmcompile.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of a first use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, from the module of that name."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"nmcompile.cli.{cmd_name}_command")
        command: click.Command = module.command
        return _with_quiet(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _be_quiet(context: click.Context, option: click.Parameter, given: bool) -> None:
    if given:
        context.meta[QUIET] = True


def _quiet() -> click.Option:
    return click.Option(
        ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_be_quiet,
        help="Print nothing but data that was asked for, warnings and errors.")


def _with_quiet(command: click.Command) -> click.Command:
    """`command` and those below it with the option -q, which every verb has."""
    if not any("--quiet" in option.opts for option in command.params):
        command.params.append(_quiet())
    for below in getattr(command, "commands", {}).values():
        _with_quiet(below)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nmc")
def group() -> None:
    """Compile trained spiking networks to neuromorphic chips, and see what they will do there."""


_with_quiet(group)


def main() -> None:
    """Run `nmc`: exit 0 done, 1 no (or our fault), 2 the user's input, 130 interrupted."""
    warnings.showwarning = _warn
    # Where colorama is installed, numba's messages would end every program with an escape.
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
    _take_all_letters()
    try:
        code = group(prog_name="nmc", standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        sys.exit(exit_request.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        asked = f" Try {context.command_path} --help." if context else ""
        said = one_line(error.format_message()).rstrip(".")
        _refuse(f"{said}.{asked}", CommandLineError.code)
    except NmcError as error:
        _refuse(str(error), error.code)
    except MemoryError as error:
        told = f" ({one_line(str(error))})" if str(error) else ""
        short = MemoryShortError("memory", f"this machine has too little for the input{told}",
                                 "Give fewer or smaller samples, or a smaller model.")
        _refuse(str(short), short.code)
    except (KeyboardInterrupt, click.Abort) as error:
        cause = error.__cause__ or error  # click makes an Abort of it
        left = getattr(cause, "written", "nothing was written")
        click.echo(f"nmc: {'; '.join(filter(None, (str(cause) or 'interrupted', left)))}", err=True)
        sys.exit(130)
    if isinstance(code, int) and code:
        sys.exit(code)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was asked for is done


def _take_all_letters() -> None:
    """Let what a terminal cannot show, such as µ in ASCII, be a question mark, not a fault."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")


def _refuse(told: str, code: str) -> NoReturn:
    """Tell a fault of the input in a line that ends with its code, and exit with 2."""
    _tell("error", f"{told}{f'  [{code}]' if code else ''}", "red")
    sys.exit(2)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Tell a warning in a line of its own, without the place in our code that gives it."""
    _tell("warning", one_line(str(message)), "yellow")


def _tell(kind: str, text: str, colour: str) -> None:
    """A line on stderr that begins with what kind of message it is."""
    click.echo(f"nmc: {click.style(f'{kind}:', fg=colour, bold=True)} {text}", err=True,
               color=coloured(sys.stderr))
