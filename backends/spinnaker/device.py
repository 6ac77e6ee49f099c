"""A SpiNNaker board as a device: loads a build over SCP, runs samples, reads their spikes.

`--device spinnaker:HOST[:PORT]`, with options

    binaries  folders of sPyNNaker 7.4.1's programs, with ":" between
    io        memory (default): inputs into the board's memory ahead of a sample, spikes out of it
              behind; every byte is read back, and lost packets are sent again. live: EIEIO messages
              while it runs, which are not
    app       number of the application, 16 to 254
    take      no (default): nothing is loaded where cores run under this number. yes: they are ended
    wait      seconds until a command is repeated the first time, 1 at most; each further time they
              double, up to 1
    settle    seconds, longer than a packet is under way
    tick      seconds of a step in real time
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker import eieio
from nmcompile_backends.spinnaker.images import MARK_BYTES
from nmcompile_backends.spinnaker.live import Spikes
from nmcompile_backends.spinnaker.loading import (
    INPUTS,
    Loaded,
    PlannedCore,
    load,
    read_plan,
    require_own,
)
from nmcompile_backends.spinnaker.monitor import PAUSED, SYNC_0, SYNC_1, Monitor
from nmcompile_backends.spinnaker.population_table import senders_of
from nmcompile_backends.spinnaker.regions import NEURON_PARAMS, RECORDING, SEND_BUFFER, SPIKES
from nmcompile_backends.spinnaker.scp import LONGEST_WAIT_S, PORT, Link

from nmcompile.device import Place, Ran, Recording, Wanted
from nmcompile.errors import (
    DataShapeError,
    DataValueError,
    DeviceBuildError,
    DeviceLimitError,
    DeviceLostError,
    OptionError,
    OptionsError,
    unknown_name,
)
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

OPTIONS = {"binaries": "", "io": "memory", "app": "30", "take": "no", "wait": "0.1",
           "settle": "0.05", "tick": "0.001"}
TRIES = 3  # of a sample whose inputs were damaged while it ran
START_S = 10.0
MOST_PORT = 65535


class SpinnakerDevice:
    """See `nmcompile.device.Device`."""

    name = "spinnaker"
    reached_by = frozenset({"app", "take", "wait", "settle"})

    def __init__(self) -> None:
        self._link: Link | None = None
        self._live: Spikes | None = None
        self._loaded: Loaded | None = None
        self._parity, self._mark = 0, secrets.token_bytes(MARK_BYTES)
        self.came: list[dict[str, Array]] = []
        """Of each sample that was last run live, input -> (steps, lines), how many spikes came."""

    def open(self, place: Place) -> None:
        """Connect, and see that SC&MP answers."""
        options = _options(place)
        host, _, port = place.address.partition(":")
        if not host:
            raise OptionError("--device spinnaker", "has no address",
                              "Give --device spinnaker:HOST, the board's name or IP address.")
        _require_programs(options["binaries"])
        if port and not (re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= MOST_PORT):
            raise OptionError(f"--device spinnaker:{place.address}", f"{port!r} is no port, 1 to "
                              f"{MOST_PORT}")
        self._folders = [Path(text) for text in options["binaries"].split(os.pathsep) if text]
        self._take = options["take"] == "yes"
        self._is_live, self._tick_s = options["io"] == "live", _seconds(options, "tick")
        self._link = Link((host, int(port or PORT)), settle_s=_seconds(options, "settle"),
                          wait_s=_seconds(options, "wait", LONGEST_WAIT_S))
        self._monitor = Monitor(self._link, int(options["app"]), self._mark)
        self._monitor.greet()

    def load(self, program: Program, config: Path) -> None:
        """Put the files of `config` on the board and start the programs."""
        assert self._link is not None
        if program.target.family != "spinnaker":
            raise DeviceBuildError("--device spinnaker", f"the build is for {program.target.name}",
                                   "Compile with --target spinnaker1.")
        self._release()
        self._program, self._parity = program, 0
        self._loaded = load(self._monitor, read_plan(config, program), self._folders,
                            self._take)
        if self._is_live:
            self._live = Spikes(self._monitor, self._loaded, self._tick_s)

    def readable(self) -> Wanted:
        """The spikes of all populations."""
        return {population.name: ("spikes",) for population in self._program.network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples one after the other, each from time 0."""
        for name, variables in wanted.items():
            for variable in variables:
                if variable != "spikes" or name not in self.readable():
                    raise DeviceLimitError(
                        f"{name}:{variable}", "cannot be read from SpiNNaker, only the "
                        "spikes of its populations")
        samples, steps = self._extent(inputs)
        lag = max(self._program.latency.values(), default=0)
        total = steps + lag
        self._require_room(total)
        spikes = {p.name: np.zeros((samples, steps, p.size), np.int32)
                  for p in self._program.network.populations if p.name in wanted}
        self.came = []
        for sample in range(samples):
            when, keys = self._keys({name: v[sample] for name, v in inputs.items()})
            found = self._sample(when, keys, total)
            if self._is_live:
                self._tell_late(when, keys, found)
            for name, values in spikes.items():
                first = self._program.latency[name]
                values[sample] = found[name][first : first + steps]
            ran(steps)
        shaped = {p.name: {"spikes": spikes[p.name].reshape(samples, steps, *p.shape)}
                  for p in self._program.network.populations if p.name in spikes}
        return Recording(variables=shaped)

    def close(self) -> None:
        """End the application, as far as the board answers, and let go of it."""
        link, self._link = self._link, None
        if link is not None:
            try:
                self._release()
            finally:
                link.close()

    def _release(self) -> None:
        """End the application, if it was started from here and still is what was loaded."""
        live, loaded, self._live, self._loaded = self._live, self._loaded, None, None
        if live is not None:
            live.close()
        monitor = self._monitor
        if monitor.claimed and not monitor.link.is_lost:
            with contextlib.suppress(DeviceLostError):
                if loaded is not None:
                    require_own(monitor, loaded)
                monitor.claimed = False
                monitor.stop()

    def _extent(self, inputs: Mapping[str, Array]) -> tuple[int, int]:
        """Samples and steps of inputs. Raises NmcError where they are none of the program's."""
        ports = self._program.network.inputs
        extent = inputs[ports[0].name].shape[:2] if ports[0].name in inputs else ()
        for port in ports:
            values = inputs.get(port.name)
            if values is None or values.shape != (*extent, *port.shape) or 0 in extent:
                found = "nothing" if values is None else f"values of shape {values.shape}"
                raise DataShapeError(
                    f"input {port.name}", f"{found} given, not (samples, steps, "
                    f"{', '.join(map(str, port.shape))}), with one of each or more")
            if values.size and not 0 <= values.min() <= values.max() <= 1:
                raise DataValueError(f"input {port.name}", f"has payloads of {values.min()} to "
                                     f"{values.max()}, spikes of SpiNNaker are 0 or 1")
        return extent[0], extent[1]

    def _require_room(self, steps: int) -> None:
        assert self._loaded is not None
        most = self._loaded.plan.recorded_steps
        if steps > most:
            raise DeviceLimitError(
                "--steps", f"samples take {steps} steps on the board, its recordings "
                f"have room for {most}", "Use shorter samples.")

    def _keys(self, sample: Mapping[str, Array]) -> tuple[Array, Array]:
        """(e,) the steps, rising, and keys of all input spikes of a sample."""
        router = self._program.target.router
        assert router is not None
        times, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for sender in senders_of(self._program)[len(self._program.mapping.slices):]:
            values = sample[sender.source].reshape(len(sample[sender.source]), -1)
            step, line = np.nonzero(values[:, sender.lines])
            times.append(step)
            keys.append(sender.key + (line << router.spare_bits.value))
        when = np.concatenate(times)
        order = np.argsort(when, kind="stable")
        return when[order], np.concatenate(keys)[order]

    def _sample(self, when: Array, keys: Array, steps: int) -> dict[str, Array]:
        """Population -> (steps, n) spikes of one run from time 0."""
        assert self._loaded is not None
        for _ in range(TRIES):
            buffer = self._begin(eieio.STOP if self._is_live else eieio.timed(when, keys), steps)
            self._monitor.synchronise(self._parity)
            self._parity = 1 - self._parity
            if self._live is not None:
                self._live.play({int(t): keys[when == t] for t in np.unique(when)}, steps)
            self._monitor.await_states(self._places, [PAUSED], START_S + 2 * steps * self._tick_s)
            if self._live is not None:
                found = self._sorted(*self._live.collect(), steps)
            elif self._held(buffer):
                found = self._recorded(steps)
            else:
                continue
            require_own(self._monitor, self._loaded)
            return found
        assert self._link is not None
        raise DeviceLostError(self._link.where, f"its inputs changed while it ran, {TRIES} times",
                              "Check the network for packets that come late.")

    @property
    def _places(self) -> list[tuple[int, int, int]]:
        assert self._loaded is not None
        return [core.place for core in self._loaded.plan.cores]

    def _begin(self, buffer: bytes, steps: int) -> bytes:
        """Write states and inputs anew, and have all cores wait for the signal."""
        assert self._loaded is not None
        assert self._link is not None
        source = next(c for c in self._loaded.plan.cores if c.label == INPUTS)
        room = source.region(SEND_BUFFER).size
        if len(buffer) > room:
            raise DeviceLimitError(
                "--input", f"a sample's spikes take {len(buffer):,} bytes, the board's "
                f"buffer has {room:,}", "Use shorter samples.")
        require_own(self._monitor, self._loaded)
        for core in self._with_neurons():
            content = self._loaded.content(core.region(NEURON_PARAMS))
            self._link.write(core.x, core.y, self._loaded.at(core, NEURON_PARAMS), content)
        self._link.write(source.x, source.y, self._loaded.at(source, SEND_BUFFER), buffer)
        self._monitor.set_run_time(self._places, steps)
        self._monitor.await_states(self._places, [(SYNC_0, SYNC_1)[self._parity]], START_S)
        return buffer

    def _held(self, buffer: bytes) -> bool:
        """Whether the inputs in memory are still what was written."""
        assert self._loaded is not None
        assert self._link is not None
        source = next(c for c in self._loaded.plan.cores if c.label == INPUTS)
        return buffer == self._link.read(source.x, source.y,
                                         self._loaded.at(source, SEND_BUFFER), len(buffer))

    def _recorded(self, steps: int) -> dict[str, Array]:
        """What the cores recorded: records of a step's number and a bit a neuron."""
        assert self._loaded is not None
        assert self._link is not None
        found = self._silence(steps)
        for core in self._with_neurons():
            at = self._loaded.at(core, RECORDING) + 4 + 12 * SPIKES
            head = np.frombuffer(self._link.read(core.x, core.y, at, 12), "<u4").tolist()
            size, missing, address = head[1] & 0x7FFFFFFF, head[1] >> 31, head[2]
            n = len(core.neurons)
            width = 4 + 4 * -(-n // 32)
            if missing or size % width or size > width * steps:
                raise DeviceLostError(self._link.where, f"core {core.place} recorded {size} bytes, "
                                      f"{'not all of its' if missing else 'no whole'} steps")
            records = np.frombuffer(self._link.read(core.x, core.y, address, size), np.uint8)
            records = records.reshape(-1, width)
            step = np.ascontiguousarray(records[:, :4]).view("<u4")[:, 0].astype(np.int64)
            if step.max(initial=0) >= steps:
                raise DeviceLostError(self._link.where, f"core {core.place} recorded step "
                                      f"{step.max()} of {steps}")
            bits = np.unpackbits(records[:, 4:], axis=1, count=n, bitorder="little")
            found[core.population or ""][np.ix_(step, np.array(core.neurons, np.int64))] = bits
        return found

    def _sorted(self, when: Array, keys: Array, steps: int) -> dict[str, Array]:
        """The spikes of populations and inputs from keys that came live."""
        router = self._program.target.router
        assert router is not None
        found = self._silence(steps)
        for sender in senders_of(self._program):
            own = ((keys & sender.mask) == sender.key) & (when < steps)
            neuron = (keys[own] & ~sender.mask) >> router.spare_bits.value
            inside = neuron < len(sender.lines)
            place = (when[own][inside], sender.lines[neuron[inside]])
            np.add.at(found[sender.source], place, 1)
        return found

    def _tell_late(self, when: Array, keys: Array, found: dict[str, Array]) -> None:
        """Keep when inputs came, and warn where that is another step than was meant."""
        meant = self._sorted(when, keys, len(next(iter(found.values()))))
        came = {port.name: found[port.name] for port in self._program.network.inputs}
        self.came.append(came)
        late = sum(int(np.maximum(meant[name] - values, 0).sum())
                   for name, values in came.items())
        if late:
            warnings.warn(f"{late} of {len(keys)} input spikes came in another step than they were "
                          "sent for; --device-option io=memory is exact", stacklevel=3)

    def _silence(self, steps: int) -> dict[str, Array]:
        return {node.name: np.zeros((steps, node.size), np.int32)
                for node in self._program.network.nodes}

    def _with_neurons(self) -> list[PlannedCore]:
        assert self._loaded is not None
        return [core for core in self._loaded.plan.cores if core.population is not None]


def _options(place: Place) -> dict[str, str]:
    """All options, with those of the user. Raises NmcError for one that is none."""
    for name in place.options:
        if name not in OPTIONS:
            raise unknown_name("--device-option", name, OPTIONS)
    options = {**OPTIONS, **place.options}
    if options["io"] not in ("memory", "live"):
        raise unknown_name("--device-option io", options["io"], ("memory", "live"))
    if options["take"] not in ("no", "yes"):
        raise unknown_name("--device-option take", options["take"], ("no", "yes"))
    app = options["app"]
    if not (re.fullmatch("[0-9]{2,3}", app) and 16 <= int(app) <= 254):
        raise OptionError("--device-option app", f"{app[:20]!r} is not 16 to 254")
    return options


def _require_programs(folders: str) -> None:
    """Refuse folders without programs, or none: a board runs what they hold."""
    where = "--device-option binaries"
    if not folders:
        raise OptionsError(
            where, "is missing: it names the folders of sPyNNaker's programs, which run "
            "on the board", "Give --device-option binaries=DIR:DIR, with the folders "
            "spynnaker/pyNN/model_binaries and spinn_front_end_common/"
            "common_model_binaries of sPyNNaker 7.4.1.")
    for folder in filter(None, folders.split(os.pathsep)):
        if not any(Path(folder).glob("*.aplx")):
            raise OptionError(where, f"'{folder}' holds no program (.aplx)")


def _seconds(options: Mapping[str, str], name: str, most: float = 60.0) -> float:
    try:
        found = float(options[name])
    except ValueError:
        found = -1.0
    if not 0 < found <= most:
        raise OptionError(f"--device-option {name}", f"{options[name][:20]!r} is not 0 to {most:g} "
                          "seconds")
    return found
