"""Attack an `nmc serve sim` and see that it lives, keeps its memory and serves who behaves.

    nmc compile MODEL --target loihi2 -o BUILD
    python tools/fuzz/serve.py BUILD --minutes 60

Clients without the key send bytes, broken TLS and nothing at all, hundreds at once; clients with
the key send broken frames, orders, files, spikes, and go at any time. Every so often a client
behaves, and must get the spikes that the simulator gives. Ends with 1 where one does not, where the
server has ended, or where it grows by more than --grow.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from attacks import ATTACKS, Site

from nmcompile import wire
from nmcompile.build import read_build
from nmcompile.device import Place
from nmcompile.devices.remote import RemoteDevice
from nmcompile.errors import NmcError
from nmcompile.simulator import simulate

EVERY = 50  # attacks between two clients that behave
WARM = 10  # minutes, or a fifth of the time, until memory is looked at for the first time
SAMPLES, STEPS = 2, 8
# Hears Ctrl-C whatever started it, and says on SIGUSR1 where its threads are.
SERVER = """import faulthandler, signal
faulthandler.register(signal.SIGUSR1)
signal.signal(signal.SIGINT, signal.default_int_handler)
from nmcompile.cli import main
main()"""
PATIENCE_S = 60.0  # until a client that behaves is served; an attacker may have the device


def main() -> None:
    """Fuzz until the time is over; print a line a minute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--grow", type=float, default=32, help="MiB that the server may grow by")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # also where a shell's "&" ignores it
    with tempfile.TemporaryDirectory() as folder:
        key, other = Path(folder) / "key", Path(folder) / "other"
        wire.new_key(key)
        wire.new_key(other)
        log = (Path(folder) / "log").open("w+")
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, "serve", "sim", "--port", "0", "--key-file", key,
             "--idle-minutes", "1"], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rsplit(" ", 1)[1])
            sys.exit(fuzz(server, Site(port=port, key=key, other=other, build=options.build),
                          options))
        finally:
            end(server)
            log.seek(0)
            faults = [line for line in log if not line.startswith("nmc: ")]
            print(f"server's log has {len(faults)} lines of other kinds", *faults[:100], sep="\n  ",
                  flush=True)


def fuzz(server: subprocess.Popen[str], site: Site, options: argparse.Namespace) -> int:
    """Attack until the time is over; the exit code."""
    rng, behaving = random.Random(options.seed), Behaving(site)
    begin = told = time.monotonic()
    tried: Counter[str] = Counter()
    warm, first = min(60 * WARM, 12 * options.minutes), ""
    while time.monotonic() < begin + 60 * options.minutes:
        for _ in range(EVERY):
            attack = rng.choice(ATTACKS)
            tried[attack.__name__] += 1
            attack(site, rng)
        fault = behaving.fault() if server.poll() is None else f"ended with {server.returncode}"
        if fault:
            print(f"after {tried.total():,} attacks: {fault}", flush=True)
            return 1
        now = time.monotonic()
        if not first and now > begin + warm:
            first, rss = condition(server), resident_mib(server)
            print(f"{(now - begin) / 60:.1f} min: {first}", flush=True)
        if now > told + 60:
            told = now
            print(f"{(now - begin) / 60:.0f} min: {tried.total():,} attacks, {condition(server)}, "
                  f"served in {behaving.slowest:.2f} s at most", flush=True)
    grown = resident_mib(server) - rss
    print(f"{tried.total():,} attacks {dict(tried)}; at first {first}; at last "
          f"{condition(server)}; {behaving.served:,} clients were served right, in "
          f"{behaving.slowest:.2f} s at most")
    return int(grown > options.grow)


class Behaving:
    """Clients that do as they should.

    served   how many were served
    slowest  seconds that one of them took
    """

    def __init__(self, site: Site) -> None:
        build = read_build(site.build)
        rng = np.random.default_rng(0)
        self._site, self._program, self._config = site, build.program, build.folder / "config"
        self._inputs = {p.name: (rng.random((SAMPLES, STEPS, *p.shape)) < 0.3).astype(np.int32)
                        for p in build.program.network.inputs}
        self._expected = simulate(build.program, self._inputs, record=("*:*",)).records
        self.served, self.slowest = 0, 0.0

    def fault(self) -> str:
        """What is wrong with what a client gets; empty where it is what the simulator gives."""
        begin, device = time.monotonic(), RemoteDevice()
        place = Place(address=f"127.0.0.1:{self._site.port}", options={"key": str(self._site.key)})
        while True:
            try:
                device.open(place)
                break
            except NmcError as error:
                if "in use" not in str(error) or time.monotonic() > begin + PATIENCE_S:
                    return f"a client was not let in: {error}"
                time.sleep(0.05)
        device.load(self._program, self._config)
        found = device.run(self._inputs, device.readable(), lambda steps: None).variables
        device.close()
        self.served += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)
        wrong = [f"{population}:{name}" for population, variables in self._expected.items()
                 for name, values in variables.items()
                 if not np.array_equal(values, found[population][name])]
        return f"a client got wrong {', '.join(wrong)}" if wrong else ""


def condition(server: subprocess.Popen[str]) -> str:
    """The memory, files and threads of the server."""
    files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    threads = len(list(Path(f"/proc/{server.pid}/task").iterdir()))
    return f"{resident_mib(server):.1f} MiB, {files} files, {threads} threads"


def resident_mib(server: subprocess.Popen[str]) -> float:
    """Memory of the server that lies in RAM (VmRSS of proc(5))."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def end(server: subprocess.Popen[str]) -> None:
    """End the server as Ctrl-C does, and say how that went."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGUSR1)
    time.sleep(1)
    server.send_signal(signal.SIGINT)
    try:
        print(f"Ctrl-C: exit code {server.wait(30)}")
    except subprocess.TimeoutExpired:
        print("Ctrl-C: still there after 30 s")
        server.kill()


if __name__ == "__main__":
    main()
