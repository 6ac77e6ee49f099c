"""`nmc serve`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import devices
from nmcompile.cli._render import print_json
from nmcompile.cli._terminal import is_quiet, say
from nmcompile.errors import DeviceLimitError, OptionsError, PackageError


@click.command("serve")
@click.argument("device", metavar="DEVICE[:ADDRESS]", required=False, shell_complete=devices)
@click.option("--device-option", "options", multiple=True, metavar="NAME=VALUE",
              help="Option of the device.")
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Address to listen on; others than this machine's own let the network in.")
@click.option("--port", type=click.IntRange(0, 65_535), default=7140, show_default=True,
              help="Port to listen on; 0 takes a free one.")
@click.option("--key-file", "key", metavar="FILE",
              help="Key that clients must have, too.  [default: what NMC_KEY_FILE names]")
@click.option("--idle-minutes", type=click.IntRange(1, 10_000), default=30, show_default=True,
              help="Minutes without an order after which a client has to go.")
@click.option("--new-key", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a new key to FILE and do nothing else.")
@click.option("--json", "as_json", is_flag=True,
              help="Print one JSON object once the device can be reached: device, host, port.")
def command(
    device: str | None, options: tuple[str, ...], host: str, port: int, key: str | None,
    idle_minutes: int, new_key: Path | None, as_json: bool,
) -> None:
    """Give a device of this machine to `--device remote:HOST:PORT` of nmc validate elsewhere.

    Clients come one at a time, and only those that have the key. Ends with Ctrl-C.
    """
    from nmcompile import registry, wire
    from nmcompile.cli._options import device_options
    from nmcompile.device import Place, Recorded

    if new_key is not None:
        wire.new_key(new_key)
        say(f"key       {new_key}")
        return
    if device is None:
        raise OptionsError("DEVICE", "is missing", "Name a device, such as sim.")
    try:
        from nmcompile.serve import Offer, serve
    except ModuleNotFoundError as error:
        raise PackageError("nmc serve", f"needs {error.name}", wire.INSTALL) from error
    name, _, address = device.partition(":")
    if isinstance(registry.device(name), Recorded):
        raise DeviceLimitError(f"device {name}", "reads what ran before, which needs no server",
                               f"Bring the file to the other machine: --device {name}:FILE.")
    offer = Offer(make=lambda: registry.device(name),
                  place=Place(address=address, options=device_options(options)),
                  key=wire.key_file(key), host=host, port=port, idle_s=60.0 * idle_minutes)

    def began(name: str, port: int) -> None:
        if as_json:
            print_json({"device": name, "host": host, "port": port})
        else:
            say(f"serving   {name} on {host} port {port}")

    quiet = is_quiet()  # the server tells from a thread of its own, where click has no context
    serve(offer, lambda line: None if quiet else click.echo(f"nmc: {line}", err=True), began)
