"""A board over UDP: what it computes, what a bad network may do to it, and what it refuses."""

from __future__ import annotations

import json
import random
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_board import BAD_NETWORK, HOST, emulated_board, same_programs
from helpers.spinnaker_compiled import compiled, small_network, spikes_for
from nmcompile_backends.spinnaker import eieio
from nmcompile_backends.spinnaker.loading import read_plan
from nmcompile_backends.spinnaker.monitor import PAUSED, STOP_ALL, Monitor
from nmcompile_backends.spinnaker.regions import NEURON_PARAMS, RECORDING, SPIKES
from nmcompile_backends.spinnaker.scp import Call, Link

from nmcompile.device import Place
from nmcompile.errors import DeviceLostError, NmcError
from nmcompile.registry import backend, device
from nmcompile.simulator import simulate

VARIABLES = 0xF5007F00
STEPS = 20


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory):
    """A program, the folder of its files, and one of programs."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "config").mkdir()
    (folder / "programs").mkdir()
    program = compiled(small_network(0), 0)
    backend("spinnaker").emit(program, folder / "config")
    return program, folder / "config", same_programs(folder / "programs")


@contextmanager
def opened(programs: Path, *options: str, **of_device: str) -> Iterator:
    """A device that is open on an emulated board, and the board's process."""
    made = device("spinnaker")
    with emulated_board("--programs", str(programs), *options) as (process, port):
        try:
            made.open(Place(address=f"{HOST}:{port}",
                            options={"binaries": str(programs), "settle": "0.03", **of_device}))
            yield made, process
        finally:
            made.close()


def same_as_simulated(made, program, config: Path, samples: int = 2) -> None:
    made.load(program, config)
    same_as_run(made, program, samples)


def same_as_run(made, program, samples: int) -> None:
    sent, told = spikes_for(program, 3, samples, STEPS), []
    wanted = simulate(program, sent, record=("spikes",)).records
    assert made.readable() == {"first": ("spikes",), "second": ("spikes",)}
    found = made.run(sent, made.readable(), told.append).variables
    assert sum(told) == samples * STEPS
    assert found.keys() == wanted.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values["spikes"], wanted[name]["spikes"], name)
        assert values["spikes"].any()


def test_the_board_computes_what_the_simulator_does_from_the_bytes_it_was_given(build) -> None:
    program, config, programs = build
    with opened(programs) as (made, _):
        same_as_simulated(made, program, config, samples=3)


@pytest.mark.parametrize("seed", range(2))
def test_it_computes_the_same_over_a_network_that_loses_doubles_and_reorders(build, seed) -> None:
    program, config, programs = build
    with opened(programs, *BAD_NETWORK, "--busy", "0.02", "--seed", str(seed)) as (made, _):
        same_as_simulated(made, program, config)


def test_where_30_percent_are_lost_it_says_so_and_stops(build) -> None:
    program, config, programs = build
    begin, said = time.monotonic(), r"packets had no answer\. It takes .* loses fewer|in 12 tries"
    with opened(programs, "--lost", "0.3", "--twice", "0.05", "--late", "0.05") as (made, _), \
            pytest.raises(DeviceLostError, match=said):
        made.load(program, config)
    assert time.monotonic() - begin < 40


def test_a_board_that_goes_away_is_told_within_seconds(build) -> None:
    program, config, programs = build
    with opened(programs, wait="0.01") as (made, process):
        made.load(program, config)
        process.kill()
        process.wait()
        begin = time.monotonic()
        with pytest.raises(DeviceLostError, match=r"did not answer|had no answer"):
            made.run(spikes_for(program, 3, 1, STEPS), made.readable(), lambda steps: None)
        assert time.monotonic() - begin < 20


def test_chips_that_are_dead_are_named(build) -> None:
    program, config, programs = build
    plan = json.loads((config / "load.json").read_text())
    changed = config.parent / "elsewhere"
    shutil.copytree(config, changed)
    for core in plan["cores"]:
        core["x"], core["y"] = 4, 4
    (changed / "load.json").write_text(json.dumps(plan))
    with opened(programs, "--dead", "4,4") as (made, _), \
            pytest.raises(NmcError, match="has no chip 4, 4, or a dead one"):
        made.load(program, changed)


def test_cores_that_are_in_use_are_not_taken(build) -> None:
    program, config, programs = build
    with emulated_board("--programs", str(programs)) as (_, port):
        first, second = device("spinnaker"), device("spinnaker")
        for made, app in ((first, "30"), (second, "31")):
            made.open(Place(address=f"{HOST}:{port}",
                            options={"binaries": str(programs), "app": app}))
        first.load(program, config)
        with pytest.raises(NmcError, match="dead or in use"):
            second.load(program, config)
        second.close()
        first.close()


def test_an_application_that_runs_is_taken_only_when_asked_and_its_host_is_told(build) -> None:
    program, config, programs = build
    sent = spikes_for(program, 3, 1, STEPS)
    with opened(programs) as (first, _):
        first.load(program, config)
        host, port = first._link.address
        second = device("spinnaker")
        for take in ("no", "yes"):
            second.open(Place(address=f"{host}:{port}", options={
                "binaries": str(programs), "settle": "0.03", "take": take}))
            if take == "no":
                with pytest.raises(NmcError, match=r"in use, by application 30.*take=yes"):
                    second.load(program, config)
                second.close()
                first.run(sent, first.readable(), lambda steps: None)
        second.load(program, config)
        with pytest.raises(DeviceLostError, match="another host may have taken the board"):
            first.run(sent, first.readable(), lambda steps: None)
        first.close()
        same_as_run(second, program, samples=1)
        second.close()


def test_a_device_that_was_lost_loads_again_over_what_it_left_and_no_other_does(build) -> None:
    program, config, programs = build
    with opened(programs) as (made, _):
        place = Place(address=":".join(map(str, made._link.address)),
                      options={"binaries": str(programs), "settle": "0.03"})
        made.load(program, config)
        made._link.is_lost = True
        made.close()
        other = device("spinnaker")
        other.open(place)
        with pytest.raises(NmcError, match=r"4 of its cores are in use, by application 30"):
            other.load(program, config)
        other.close()
        made.open(place)
        same_as_simulated(made, program, config, samples=1)


def test_a_load_that_fails_leaves_the_board_free(build, tmp_path: Path) -> None:
    program, config, programs = build
    (tmp_path / "others").mkdir()
    for path in programs.iterdir():
        (tmp_path / "others" / path.name).write_bytes(b"another " * 50)
    with emulated_board("--programs", str(programs)) as (_, port):
        for folder, app in ((tmp_path / "others", "30"), (programs, "31")):
            made = device("spinnaker")
            made.open(Place(address=f"{HOST}:{port}", options={"binaries": str(folder), "app": app}))
            if app == "30":
                with pytest.raises(DeviceLostError, match="stopped with an error"):
                    made.load(program, config)
            else:
                same_as_simulated(made, program, config, samples=1)
            made.close()


def test_a_board_that_refuses_to_stop_is_let_go_of(build, monkeypatch: pytest.MonkeyPatch) -> None:
    program, config, programs = build
    with opened(programs) as (made, _):
        made.load(program, config)
        link = made._link

        def refuse() -> None:
            raise NmcError("board", "refuses command 20")

        monkeypatch.setattr(made._monitor, "stop", refuse)
        with pytest.raises(NmcError, match="refuses command 20"):
            made.close()
        assert link._socket.fileno() == -1


def test_a_program_that_the_chip_does_not_run_is_told(build, tmp_path: Path) -> None:
    program, config, programs = build
    (tmp_path / "others").mkdir()
    for path in programs.iterdir():
        (tmp_path / "others" / path.name).write_bytes(b"another " * 50)
    with emulated_board("--programs", str(programs)) as (_, port):
        made = device("spinnaker")
        made.open(Place(address=f"{HOST}:{port}",
                        options={"binaries": str(tmp_path / "others")}))
        with pytest.raises(DeviceLostError, match="stopped with an error"):
            made.load(program, config)
        made.close()


def test_live_spikes_are_those_of_the_inputs_as_they_came(build) -> None:
    program, config, programs = build
    sent = spikes_for(program, 3, 2, STEPS)
    sent["in"][:, np.arange(STEPS) % 5 > 0] = 0  # so far apart that no line spikes twice in a step
    with opened(programs, "--tick", "0.02", io="live", tick="0.02") as (made, _):
        made.load(program, config)
        with pytest.warns(UserWarning, match="io=memory is exact"):  # the first step is too early
            found = made.run(sent, made.readable(), lambda steps: None).variables
        came = np.stack([sample["in"] for sample in made.came]).reshape(2, -1, 2, 6)
    assert came.sum() == sent["in"].sum()
    wanted = simulate(program, {"in": came.astype(np.int32)}, record=("spikes",)).records
    for name, values in found.items():
        np.testing.assert_array_equal(values["spikes"], wanted[name]["spikes"][:, :STEPS], name)
        assert values["spikes"].any()


@pytest.mark.filterwarnings("ignore:.*io=memory is exact")
def test_live_spikes_that_are_lost_are_told(build) -> None:
    program, config, programs = build
    with opened(programs, "--tick", "0.01", "--lost", "0.1", io="live", tick="0.01") as (made, _):
        made.load(program, config)
        with pytest.raises(DeviceLostError, match="arrived"):
            made.run(spikes_for(program, 3, 10, STEPS), made.readable(), lambda steps: None)


@contextmanager
def also_heard(made, host: str, messages: int) -> Iterator[None]:
    """Spikes of step 3 with keys that mean nothing come to a live device from `host` too."""
    collect, told = made._live.collect, eieio.BASE.pack(
        eieio.TIME_BASE | eieio.TIMED | eieio.KEYS_32 | 60, 3) + bytes(240)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((host, 0))

        def collect_later():
            for _ in range(messages):
                other.sendto(told, made._live._socket.getsockname())
            return collect()

        made._live.collect = collect_later
        yield


@pytest.mark.filterwarnings("ignore:.*io=memory is exact")
def test_what_a_stranger_sends_is_no_spike_of_the_board(build) -> None:
    program, config, programs = build
    sent = spikes_for(program, 3, 1, STEPS)
    with opened(programs, "--tick", "0.02", io="live", tick="0.02") as (made, _):
        made.load(program, config)
        with also_heard(made, "127.0.0.1", 5):
            found = made.run(sent, made.readable(), lambda steps: None).variables
        came = made.came[0]["in"].reshape(1, -1, 2, 6).astype(np.int32)
    wanted = simulate(program, {"in": came}, record=("spikes",)).records
    np.testing.assert_array_equal(found["second"]["spikes"], wanted["second"]["spikes"][:, :STEPS])


def test_more_spikes_than_a_board_can_send_are_told_and_not_kept(build) -> None:
    program, config, programs = build
    with opened(programs, "--tick", "0.02", io="live", tick="0.02") as (made, _):
        made.load(program, config)
        with also_heard(made, HOST, 500), \
                pytest.raises(DeviceLostError, match="sent more spikes than its neurons can"):
            made.run(spikes_for(program, 3, 1, STEPS), made.readable(), lambda steps: None)


@pytest.mark.parametrize(("address", "options", "said"), [
    ("", {}, "has no address"),
    ("127.0.0.1:x", {}, "is no port"),
    ("127.0.0.1:0", {}, "is no port"),
    ("127.0.0.1:99999", {}, "is no port, 1 to 65535"),
    ("127.0.0.1:" + "9" * 20, {}, "is no port"),
    ("h..x:1", {}, "cannot be reached"),
    ("\0:1", {}, "cannot be reached"),
    ("127.0.0.1:9", {"take": "all"}, "'all' is not known"),
    ("127.0.0.1:9", {"speed": "1"}, "'speed' is not known"),
    ("127.0.0.1:9", {"io": "fast"}, "'fast' is not known"),
    ("127.0.0.1:9", {"app": "3"}, "is not 16 to 254"),
    ("127.0.0.1:9", {"app": "1" * 5000}, "is not 16 to 254"),
    ("127.0.0.1:9", {"app": "\uff13\uff10"}, "is not 16 to 254"),
    ("127.0.0.1:9", {"wait": "soon"}, "is not 0 to 1 seconds"),
    ("127.0.0.1:9", {"wait": "1.5"}, "is not 0 to 1 seconds"),
    ("127.0.0.1:9", {"settle": "61"}, "is not 0 to 60 seconds"),
    ("127.0.0.1:9", {"tick": "9" * 5000}, "is not 0 to 60 seconds"),
    ("127.0.0.1:9", {"wait": "0.001"}, "did not answer"),
    ("no such host:1", {}, "cannot be reached"),
])
def test_what_is_no_board_is_refused_in_one_line(address, options, said, build) -> None:
    made = device("spinnaker")
    with pytest.raises(NmcError, match=said):
        made.open(Place(address=address, options={"binaries": str(build[2]), **options}))
    made.close()


@pytest.mark.parametrize(("options", "said"), [
    ({}, "binaries: is missing: it names the folders of sPyNNaker's programs"),
    ({"binaries": "/nowhere"}, "binaries: '/nowhere' holds no program"),
])
def test_folders_of_programs_are_asked_for_before_the_board_is(options, said) -> None:
    with pytest.raises(NmcError, match=said):
        device("spinnaker").open(Place(address="127.0.0.1:9", options=options))


@pytest.mark.parametrize(("file", "change", "said"), [
    ("load.json", lambda data: None, "is not there"),
    ("load.json", lambda data: data[:100], "is damaged"),
    ("load.json", lambda data: data.replace(b'"p":1', b'"p":99'), "cores.0.p"),
    ("sdram.bin", lambda data: data[:-4], "lies beyond"),
    ("tables.bin", lambda data: data[:20], "lies beyond"),
    ("load.json", lambda data: data.replace(b"IF_curr_delta.aplx", b"../x.aplx"), "no program's name"),
    ("load.json", lambda data: data.replace(b"IF_curr_exp.aplx", b"IF_other.aplx"), "binaries="),
])
def test_a_build_that_is_damaged_is_refused_before_the_board_is_touched(
    build, tmp_path: Path, file: str, change, said: str
) -> None:
    program, config, programs = build
    shutil.copytree(config, tmp_path / "config")
    data = change((config / file).read_bytes())
    if data is None:
        (tmp_path / "config" / file).unlink()
    else:
        (tmp_path / "config" / file).write_bytes(data)
    with opened(programs) as (made, _), pytest.raises(NmcError, match=said):
        made.load(program, tmp_path / "config")


@pytest.mark.parametrize(("kind", "change", "said"), [
    ("inputs", {"label": "other"}, "has no one core 'inputs'"),
    ("first[0]", {"label": "inputs"}, "has no one core 'inputs'"),
    ("first[0]", {"population": "other"}, "20 neurons of 'other'"),
    ("first[0]", {"population": None}, "where the program has a core with"),
    ("first[0]", {"neurons": [n + 1000 for n in range(20)]}, "1000 to 1019 where"),
    ("first[0]", {"neurons": []}, "0 neurons of 'first'"),
    ("first[0]", {"size": 1 << 40}, "cores.*.size"),
    ("first[0]", {"size": 8}, "cores.*.size"),
    ("first[0]", {"p": 17}, None),
    ("first[0]", {"regions": []}, "has no region 2"),
    ("inputs", {"regions": []}, "has no region 3"),
    ("spikes(0,0)", {"regions": []}, "has no region 2"),
    ("first[0]", {"written": 7}, "multiple of 4"),
    ("first[0]", {"offset": 0}, "greater than or equal to"),
    ("first[0]", {"region": 2}, "has a region twice|has no region"),
    (None, {"cores": []}, "a core with 0 neurons of 'none' where"),
])
def test_a_plan_that_is_not_the_programs_is_refused_before_the_board_is_touched(
    build, tmp_path: Path, kind: str | None, change: dict, said: str | None
) -> None:
    program, config, _ = build
    shutil.copytree(config, tmp_path / "config")
    plan = json.loads((config / "load.json").read_text())
    core = next((core for core in plan["cores"] if core["label"] == kind), plan)
    place = core["regions"][0] if {*change} & {"written", "offset", "region"} else core
    place |= change
    (tmp_path / "config" / "load.json").write_text(json.dumps(plan))
    if said is None:
        assert read_plan(tmp_path / "config", program).plan.cores
        return
    with pytest.raises(NmcError, match=said) as error:
        read_plan(tmp_path / "config", program)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("change", "said"), [
    (lambda sent: {"in": sent["in"][:, :0]}, "with one of each or more"),
    (lambda sent: {"in": sent["in"][:0]}, "with one of each or more"),
    (lambda sent: {"in": -sent["in"]}, "payloads of -1 to 0"),
    (lambda sent: {"in": 2 * sent["in"]}, "payloads of 0 to 2"),
    (lambda sent: {"in": sent["in"][:, :, :1]}, "values of shape"),
    (lambda sent: {"other": sent["in"]}, "input in: nothing given"),
])
def test_inputs_that_a_board_has_no_spikes_for_are_refused(build, change, said: str) -> None:
    program, _, _ = build
    made = device("spinnaker")
    made._program = program
    with pytest.raises(NmcError, match=said):
        made.run(change(spikes_for(program, 3, 1, STEPS)), made.readable(), lambda steps: None)


@pytest.mark.parametrize("seed", range(12))
def test_a_peer_that_answers_anything_is_refused_in_one_line(build, seed: int) -> None:
    """Right numbers and any codes and bytes, after a greeting that is SC&MP's."""
    program, config, programs = build
    rng, over = random.Random(seed), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST, 0))
        peer.settimeout(0.05)

        def answer() -> None:
            while not over.is_set():
                try:
                    packet, sender = peer.recvfrom(2048)
                except TimeoutError:
                    continue
                command, sequence, _, n_bytes = struct.unpack_from("<HHII", packet, 10)
                body = rng.randbytes(rng.choice((0, 1, 4, 30, n_bytes % 257)))
                if command == 0:
                    body = bytes(12) + b"SC&MP/SpiNNaker\x004.0.0\0"
                if command == 31 and rng.random() < 0.9:
                    body = bytes(12) + b"\x0f" * 18
                code = 0x80 if rng.random() < 0.97 else rng.getrandbits(16)
                head = packet[:2] + bytes([7, 255, 255, packet[4], 0, 0, packet[6], packet[7]])
                peer.sendto(head + struct.pack("<HH", code, sequence) + body, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        made = device("spinnaker")
        try:
            made.open(Place(address=f"{HOST}:{peer.getsockname()[1]}", options={
                "binaries": str(programs), "wait": "0.01", "settle": "0.001"}))
            with pytest.raises(NmcError) as error:
                made.load(program, config)
            assert "\n" not in str(error.value)
        finally:
            over.set()
            thread.join()
            made.close()


def test_the_board_outlives_packets_of_any_bytes(build) -> None:
    program, config, programs = build
    rng = random.Random(0)
    with opened(programs) as (made, process):
        made.load(program, config)
        address, variables = made._link.address, made._link.read(0, 0, VARIABLES, 256)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(4000):
                stranger.sendto(any_packet(rng), address)
                if number % 50 == 0:
                    made._link.call(Call(x=255, y=255, command=0))
        assert process.poll() is None
        reset(made._link, variables)
        same_as_simulated(made, program, config, samples=1)


def reset(link: Link, variables: bytes) -> None:
    """What a reset does to the root's chip: its variables, no application, no routing entry."""
    link.write(0, 0, VARIABLES, variables)
    stop = [Call(x=255, y=255, command=STOP_ALL, arguments=(0, 5 << 28 | 2 << 16 | app, 0))
            for app in range(256)]
    link.calls([*stop, Call(x=0, y=0, command=29)])


@pytest.mark.parametrize(("region", "offset", "words"), [
    (RECORDING, 4 + 12 * SPIKES, [0x7FFFFFFF]),  # more room than a chip has
    (RECORDING, None, [0]),  # no such region
    (RECORDING, None, [0xFFFFFFF0]),  # one where no memory is
    (NEURON_PARAMS, None, [0]),
])
def test_a_core_whose_memory_is_spoilt_stops_and_the_board_goes_on(
    build, region: int, offset: int | None, words: list[int]
) -> None:
    program, config, programs = build
    with opened(programs) as (made, process):
        made.load(program, config)
        core = made._with_neurons()[0]
        at = (made._loaded.address[core.place] + 8 + 12 * region if offset is None
              else made._loaded.at(core, region) + offset)
        made._link.write(core.x, core.y, at, np.array(words, "<u4").tobytes())
        with pytest.raises(DeviceLostError, match="stopped with an error"):
            made.run(spikes_for(program, 3, 1, STEPS), made.readable(), lambda steps: None)
        assert process.poll() is None
        same_as_simulated(made, program, config, samples=1)


def test_recordings_stop_where_their_room_ends(build) -> None:
    program, config, programs = build
    with opened(programs) as (made, _):
        made.load(program, config)
        core = made._with_neurons()[0]
        at = made._loaded.at(core, RECORDING) + 4 + 12 * SPIKES
        made._link.write(core.x, core.y, at, (20).to_bytes(4, "little"))
        with pytest.raises(DeviceLostError, match="recorded 16 bytes, not all"):
            made.run(spikes_for(program, 3, 1, STEPS), made.readable(), lambda steps: None)


def test_a_recording_at_an_address_beyond_32_bits_is_a_lost_device(build) -> None:
    program, config, programs = build
    with opened(programs) as (made, _):
        made.load(program, config)
        core = made._with_neurons()[0]
        at = made._loaded.at(core, RECORDING) + 4 + 12 * SPIKES
        wait = made._monitor.await_states

        def spoil_then(places, wanted, patience_s) -> None:
            wait(places, wanted, patience_s)
            if list(wanted) == [PAUSED]:
                made._link.write(core.x, core.y, at + 8, (0xFFFFFFF0).to_bytes(4, "little"))

        made._monitor.await_states = spoil_then
        with pytest.raises(DeviceLostError, match="bytes at 0xfffffff0, which is no place"):
            made.run(spikes_for(program, 3, 1, STEPS), made.readable(), lambda steps: None)


def test_an_application_runs_on_where_another_is_stopped(build) -> None:
    program, config, programs = build
    sent = spikes_for(program, 3, 1, STEPS)
    with opened(programs, "--tick", "0.02", tick="0.02") as (made, _):
        made.load(program, config)
        wait = made._monitor.await_states

        def stop_another(places, wanted, patience_s) -> None:
            if list(wanted) == [PAUSED]:
                Monitor(made._link, 77, bytes(16)).stop()
            wait(places, wanted, patience_s)

        made._monitor.await_states = stop_another
        found = made.run(sent, made.readable(), lambda steps: None).variables
    wanted = simulate(program, sent, record=("spikes",)).records
    np.testing.assert_array_equal(found["second"]["spikes"], wanted["second"]["spikes"])


def any_packet(rng: random.Random) -> bytes:
    """Noise, or a command to any core with any arguments."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(0, 400))
    places = [rng.choice((0, 1, 3, 7, 255)), rng.choice((0, 1, 3, 255))]
    head = bytes([0, 0, rng.choice((7, 0x87)), 255, rng.choice((0, 1, 3, 31, 97)), 255, *places, 0, 0])
    words = [rng.choice((0, 1, 2, 4, 256, 0x60000000, 0x67800000, 0xF5007F00, 0xE5007080,
                         0xFFFFFFFF, 1 << 29 | 1 << 16 | 2, rng.getrandbits(32))) for _ in range(3)]
    command = rng.choice((*range(0, 33), 255))
    if command == 5:
        words[2] = rng.choice((4, 5, 1 << 16, 0xFFFFFFFF))
    return (head + struct.pack("<HH", command, rng.getrandbits(16)) + struct.pack("<3I", *words)
            + rng.randbytes(rng.choice((0, 0, 4, 256))))
