"""Serve a device of these tests from a process of its own, as `nmc serve` does.

    python serving.py KEY DEVICE PORT [NAME=VALUE ...]
"""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nmcompile.device import Place, Recording
from nmcompile.devices.remote import RemoteDevice
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import DeviceLostError

BEGUN, GO, CLOSED = "begun", "go", "closed"  # files in a waiting device's folder
PATIENCE_S = 60


class WaitingDevice(SimDevice):
    """Runs once there is a file `go` in its folder; leaves files that say how far it is."""

    def open(self, place):
        self._folder = Path(place.options["marks"])

    def run(self, inputs, wanted, ran):
        (self._folder / BEGUN).touch()
        while not (self._folder / GO).exists():
            ran(1)
            time.sleep(0.01)
        return super().run(inputs, wanted, ran)

    def close(self):
        (self._folder / CLOSED).touch()
        super().close()


class FailingDevice(SimDevice):
    """Reads its files as it runs; fails as the number of steps says."""

    def load(self, program, config):
        super().load(program, config)
        self._config = config

    def run(self, inputs, wanted, ran):
        if not any(self._config.iterdir()):
            raise FileNotFoundError("the files of the backend")
        steps = next(iter(inputs.values())).shape[1]
        if steps == 1:
            raise ZeroDivisionError("a fault of the device")
        if steps == 2:
            raise DeviceLostError("board", "does not answer", "Switch it on.")
        return super().run(inputs, wanted, ran)


class WholeDevice:
    """Runs samples in one go, and not step by step."""

    name = "whole"

    def __init__(self):
        self._device = SimDevice()
        for name in ("open", "load", "readable", "run", "close"):
            setattr(self, name, getattr(self._device, name))


class RealDevice(SimDevice):
    """Gives spikes as real numbers, which no device does."""

    def run(self, inputs, wanted, ran):
        found = super().run(inputs, wanted, ran)
        return Recording(variables={
            name: {v: values.astype(float) for v, values in variables.items()}
            for name, variables in found.variables.items()})

    def step(self, inputs):
        return {name: values.astype(float) for name, values in super().step(inputs).items()}


DEVICES = {"whole": WholeDevice, "sim": SimDevice, "waiting": WaitingDevice,
           "failing": FailingDevice, "real": RealDevice}


@dataclass
class Server:
    process: subprocess.Popen
    port: int
    key: Path
    log: Path

    @property
    def place(self):
        return Place(address=f"127.0.0.1:{self.port}", options={"key": str(self.key)})


@contextmanager
def serving(folder, device="sim", port=0, **options):
    """A server with a new key in `folder`, which ends with the block."""
    from nmcompile import wire

    key, log = folder / "key", folder / "log"
    if not key.exists():
        wire.new_key(key)
    given = [f"{name}={value}" for name, value in options.items()]
    with log.open("w") as errors:
        process = subprocess.Popen([sys.executable, __file__, key, device, str(port), *given],
                                   stdout=subprocess.PIPE, stderr=errors, text=True,
                                   env={**os.environ, "TMPDIR": str(folder)})
    try:
        yield Server(process, int(process.stdout.readline()), key, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def remote(server):
    """A client of `server`."""
    device = RemoteDevice()
    device.open(server.place)
    try:
        yield device
    finally:
        device.close()


def until(there):
    """Wait until `there()` is true."""
    end = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def main():
    from nmcompile import registry
    from nmcompile.serve import Offer, serve

    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    key, device, port, *options = sys.argv[1:]
    make = DEVICES.get(device, lambda: registry.device(device))
    offer = Offer(make=make, key=Path(key), port=int(port), place=Place(
        options=dict(option.split("=", 1) for option in options)))
    try:
        serve(offer, lambda line: print(line, file=sys.stderr, flush=True),
              lambda name, port: print(port, flush=True))
    except KeyboardInterrupt as ended:
        print(ended, file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
