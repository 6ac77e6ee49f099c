"""`nmc serve` and the device `remote`: what behaves is served, whatever else tries."""

import contextlib
import gzip
import json
import math
import os
import re
import shutil
import signal
import socket
import ssl
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc as command
from helpers.command import refusal as line_of_error
from helpers.models_xylo import counted_spikes, rockpool_net
from helpers.networks import conv_network, small_target, spikes
from helpers.serving import BEGUN, CLOSED, GO, remote, serving, until
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import nmcompile as nmc
from nmcompile import __version__, wire
from nmcompile.api import DataFile
from nmcompile.build import write_build
from nmcompile.device import Place
from nmcompile.devices import remote as remote_module
from nmcompile.devices.remote import RemoteDevice
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import DeviceLostError, NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run as run_network
from nmcompile.pipeline import compile_stage
from nmcompile.serve import Offer
from nmcompile.serve import server as server_module
from nmcompile.serve.session import refusal
from nmcompile.simulator import simulate

HELLO = {"say": "hello", "protocol": wire.PROTOCOL, "nmcompile": __version__, "who": "a test"}
SAMPLES, STEPS = 3, 12
CROWD = 1500  # connections
SOON_S = 10.0
GOLDENS = Path(__file__).parents[1] / "goldens" / "hostile"
say = RemoteDevice._say


def needs(tool, variable):
    """A mark for tests that need a vendor's tool in an interpreter of its own."""
    missing = pytest.mark.skipif(variable not in os.environ, reason=f"{variable} names no Python")
    return lambda test: getattr(pytest.mark, tool)(missing(test))


lava, xylo = needs("lava", "NMC_LAVA_PYTHON"), needs("xylo", "NMC_XYLO_PYTHON")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run_network(network, inputs).records)
    folder = tmp_path_factory.mktemp("builds") / "build"
    return write_build(compile_stage(traced, small_target(neurons=40)), folder, {})


@pytest.fixture(scope="module")
def sent(build):
    rng = np.random.default_rng(0)
    return {p.name: (rng.random((SAMPLES, STEPS, *p.shape)) < 0.3).astype(np.int32)
            for p in build.program.network.inputs}


@pytest.fixture(scope="module")
def expected(build, sent):
    return simulate(build.program, sent, record=("*:*",)).records


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


def served(server, build, sent):
    """What a client that behaves gets, and the steps that it is told of."""
    told = []
    with remote(server) as device:
        device.load(build.program, build.folder / "config")
        recording = device.run(sent, device.readable(), told.append)
    return recording, sum(told)


def same(recording, expected):
    for population, variables in expected.items():
        for name, values in variables.items():
            found = recording.variables[population][name]
            assert found.dtype == values.dtype
            np.testing.assert_array_equal(found, values)


def greeted(server, **changes):
    """A connection of a client with the key that has said hello."""
    link = connect(f"wss://127.0.0.1:{server.port}/", ssl=wire.client_context(server.key),
                   proxy=None, compression=None, max_size=1 << 20)
    return _Greeted(link, {**HELLO, **changes})


class _Greeted:
    def __init__(self, link, hello):
        self._link, self._hello = link, hello

    def __enter__(self):
        self._connection = self._link.__enter__()
        self._connection.send(json.dumps(self._hello))
        return self._connection

    def __exit__(self, *error):
        self._link.__exit__(*error)


def answers(link):
    """What the server says until it closes, and the code with which it does."""
    said = []
    try:
        while True:
            said.append(json.loads(link.recv(SOON_S)))
    except ConnectionClosed as closed:
        return said, closed.rcvd.code if closed.rcvd else None


def test_a_remote_device_gives_what_the_simulator_gives(server, build, sent, expected):
    recording, told = served(server, build, sent)
    same(recording, expected)
    assert told == SAMPLES * (STEPS + max(build.program.latency.values()))
    assert recording.step_s is None
    assert recording.boundary == ""


def test_a_device_runs_one_order_after_the_other(server, build, sent, expected):
    with remote(server) as device:
        device.load(build.program, build.folder / "config")
        for _ in range(2):
            same(device.run(sent, device.readable(), lambda steps: None), expected)
        device.load(build.program, build.folder / "config")
        some = {"rec": ("spikes",)}
        recording = device.run(sent, some, lambda steps: None)
        assert list(recording.variables) == ["rec"]
        np.testing.assert_array_equal(recording.variables["rec"]["spikes"],
                                      expected["rec"]["spikes"])


def test_a_remote_device_runs_step_by_step(server, build, sent, expected):
    network = build.program.network
    with remote(server) as device:
        device.load(build.program, build.folder / "config")
        for sample in range(2):
            device.begin()
            given = [device.step({name: values[sample, step] for name, values in sent.items()})
                     for step in range(STEPS)]
            for port in network.outputs:
                lag = network.lags[port.population]
                np.testing.assert_array_equal(
                    np.stack([step[port.name] for step in given])[lag:],
                    expected[port.population][port.variable][sample, : STEPS - lag])
        same(device.run(sent, device.readable(), lambda steps: None), expected)
        with pytest.raises(NmcError, match="ordered a step of a sample that did not begin"):
            device.step({name: values[0, 0] for name, values in sent.items()})


def test_a_remote_device_that_does_not_run_step_by_step_says_so(build, sent, expected, tmp_path):
    with serving(tmp_path, "whole") as server, remote(server) as device:
        device.load(build.program, build.folder / "config")
        with pytest.raises(NmcError, match="device whole: does not run step by step"):
            device.begin()
        same(device.run(sent, device.readable(), lambda steps: None), expected)


@lava
def test_a_vendors_simulator_behind_a_server_gives_every_spike_and_state(
    build, sent, expected, tmp_path
):
    with serving(tmp_path, "lava") as server:
        recording, _ = served(server, build, sent)
    assert sum(values["spikes"].sum() for values in expected.values()) > 100
    for population, variables in recording.variables.items():
        assert "spikes" in variables
        for name, values in variables.items():
            np.testing.assert_array_equal(values, expected[population][name])


@xylo
def test_xylosim_behind_a_server_gives_every_spike_and_state(tmp_path):
    model, given = rockpool_net(1, True), counted_spikes(2)
    build = nmc.write_build(nmc.compile(model, target="xylo_a3", sample=given), tmp_path / "b", {})
    with serving(tmp_path, "xylosim") as server:
        told = nmc.validate(build, DataFile(x=given, y=None), "remote", place=server.place)
    assert told["divergence"] is None
    assert all(row["spikes_device"] > 0 and set(row["states"]) == {"u", "v"}
               for row in told["populations"])


@lava
def test_code_in_a_clients_build_does_not_run_on_the_server(build, sent, expected, tmp_path):
    config, mark = tmp_path / "config", tmp_path / "ran"
    shutil.copytree(build.folder / "config", config)
    script = config / "lava_model.py"
    script.write_text(f"open({str(mark)!r}, 'w').close()\n" + script.read_text())
    with serving(tmp_path, "lava") as server, remote(server) as device:
        device.load(build.program, config)
        found = device.run(sent, {"rec": ("spikes",)}, lambda steps: None)
    np.testing.assert_array_equal(found.variables["rec"]["spikes"], expected["rec"]["spikes"])
    assert not mark.exists()


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64])
def test_samples_are_sent_in_as_many_orders_as_they_take(
    server, build, sent, expected, monkeypatch, kind
):
    most = sum(values[:1].nbytes for values in sent.values())
    monkeypatch.setattr(remote_module, "MOST_INPUTS", most)
    said = []
    monkeypatch.setattr(RemoteDevice, "_say", lambda device, message: (
        said.append(message), say(device, message)))
    narrow = {name: values.astype(kind) for name, values in sent.items()}
    same(served(server, build, narrow)[0], expected)
    orders = [message for message in said if message.say == "run"]
    assert [sum(4 * math.prod(head.shape) for head in order.inputs) for order in orders] == (
        [most] * SAMPLES)


RUNS = {
    "no samples": (lambda sent: {k: v[:0] for k, v in sent.items()}, {}, "at least one sample"),
    "no steps": (lambda sent: {k: v[:, :0] for k, v in sent.items()}, {}, "of one step"),
    "another input": (lambda sent: {"other": sent["input"]}, {}, "was given inputs {'other'"),
    "an unknown population": (lambda sent: sent, {"nope": ("spikes",)},
                              "cannot read spikes of 'nope'"),
    "64 bits": (lambda sent: {k: v.astype(np.int64) + 2**40 for k, v in sent.items()}, {},
                "input: holds payloads of int64 that are no integers of 32 bits"),
    "fractions": (lambda sent: {k: v + 0.5 for k, v in sent.items()}, {}, "payloads of float64"),
}


@pytest.mark.parametrize("run", RUNS)
def test_a_run_that_cannot_be_is_refused_ahead_and_the_next_one_runs(
    server, build, sent, expected, run
):
    change, wanted, told = RUNS[run]
    with remote(server) as device:
        device.load(build.program, build.folder / "config")
        with pytest.raises(NmcError, match=re.escape(told)):
            device.run(change(sent), wanted, lambda steps: None)
        same(device.run(sent, device.readable(), lambda steps: None), expected)


def test_names_as_long_as_a_network_may_have_them_are_sent(server):
    network = conv_network()
    names = {p.name: p.name.ljust(500, "x") for p in network.populations}
    network = replace(
        network,
        populations=tuple(replace(p, name=names[p.name]) for p in network.populations),
        projections=tuple(replace(p, source=names.get(p.source, p.source), target=names[p.target])
                          for p in network.projections),
        outputs=tuple(replace(o, population=names[o.population]) for o in network.outputs))
    given = spikes(network)
    program = compile_stage(Traced(network=network, inputs=given, expected=run_network(
        network, given).records), small_target(neurons=40)).program
    payloads = {p.name: np.ones((1, STEPS, *p.shape), np.int32) for p in program.network.inputs}
    with remote(server) as device:
        device.load(program, Path())
        found = device.run(payloads, device.readable(), lambda steps: None)
    same(found, simulate(program, payloads, record=("*:*",)).records)


def test_a_program_beyond_what_is_sent_is_refused_with_its_size(server, build, monkeypatch):
    monkeypatch.setattr(remote_module, "MOST_PROGRAM", 1000)
    with remote(server) as device, pytest.raises(NmcError, match="at most 1,000 are sent"):
        device.load(build.program, build.folder / "config")


def test_a_refusal_of_any_length_is_said():
    error = DeviceLostError("d" * 20_000, "x" * 20_000, "h" * 20_000)
    assert wire.parse_answer(wire.said(refusal("lost", error)), "server").what == "x" * 10_000


def test_a_message_beyond_what_is_taken_is_not_sent():
    with pytest.raises(NmcError, match="characters is not sent"):
        wire.said(wire.Loaded(readable={str(i).ljust(500, "x"): ("spikes",) for i in range(2100)}))


def test_a_sample_beyond_an_order_is_refused_with_its_size(server, build, sent, monkeypatch):
    monkeypatch.setattr(remote_module, "MOST_RESULT", 1000)
    with pytest.raises(NmcError, match="a sample of 12 steps sends 5,376 bytes and answers"):
        served(server, build, sent)


def test_a_device_has_its_name_and_place(server):
    with remote(server) as device:
        assert device.name == f"sim at 127.0.0.1:{server.port}"


def test_another_key_is_not_let_in(server, tmp_path):
    wire.new_key(tmp_path / "key")
    place = Place(address=server.place.address, options={"key": str(tmp_path / "key")})
    with pytest.raises(NmcError, match=r"the nmc serve there has another key\. Give both ends"):
        RemoteDevice().open(place)


@pytest.mark.parametrize("own", [False, True], ids=["no key", "another key"])
def test_a_client_that_trusts_anyone_is_told_nothing(server, own, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if own:
        wire.new_key(tmp_path / "key")
        context.load_cert_chain(tmp_path / "key")
    heard = b""
    with socket.create_connection(("127.0.0.1", server.port), SOON_S) as tcp:
        with contextlib.suppress(ssl.SSLError, ConnectionError), context.wrap_socket(tcp) as link:
            link.sendall(b"GET / HTTP/1.1\r\n\r\n")
            heard = link.recv(1)
    assert heard == b""


def test_another_protocol_is_refused_with_both_versions(server):
    with greeted(server, protocol=9, nmcompile="9.9", new=True) as link:
        said, code = answers(link)
    assert code == 1008
    assert said[0]["what"] == (f"speaks protocol 2 (nmcompile {__version__}), the client protocol "
                               "9 (nmcompile 9.9)")


def test_a_second_client_is_told_who_has_the_device(server):
    with greeted(server, who="alice@bench\x1b") as link:
        assert json.loads(link.recv(SOON_S))["say"] == "welcome"
        with pytest.raises(NmcError) as error:
            RemoteDevice().open(server.place)
    assert str(error.value) == (
        f"remote 127.0.0.1:{server.port}: device: in use by alice@bench\\x1b (127.0.0.1) for 0 "
        "min. Try again when they are done.")


ORDERS = {
    "bytes for an order": (b"\0", "sent bytes where a message was due"),
    "no JSON": ("{", "sent a message that is none"),
    "a hello again": (json.dumps(HELLO), "sent a message that is none"),
    "a run before a load": (json.dumps({
        "say": "run", "inputs": [{"name": "input", "dtype": "<i4", "shape": [1, 1]}],
        "wanted": {}}), "gave another order before there was a program"),
    "too many bytes": (json.dumps({"say": "load", "size": (2 << 30) + 1}),
                       "load.size: Input should be less than or equal to 2147483648"),
    "a file of code": (json.dumps({"say": "load", "size": 1, "files": ["config/lava_model.py"]}),
                       "load.files: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_who_breaks_the_protocol_is_told_and_has_to_go(server, order):
    message, told = ORDERS[order]
    with greeted(server) as link:
        link.send(message)
        said, code = answers(link)
    assert (said[0]["say"], said[1]["kind"], code) == ("welcome", "closed", 1008)
    assert told in said[1]["what"]


def test_an_oversize_message_ends_the_connection(server):
    with greeted(server) as link:
        link.recv(SOON_S)
        with contextlib.suppress(ConnectionClosed):
            link.send(bytes(wire.CHUNK + 1))
        assert answers(link)[1] == 1009  # message too big (RFC 6455, section 7.4.1)


def test_a_message_without_end_ends_the_connection(server):
    with greeted(server) as link:
        link.recv(SOON_S)
        with contextlib.suppress(ConnectionClosed):
            link.send(bytes(1 << 16) for _ in range(1000))
        assert answers(link)[1] in (1009, None)  # none where it still sends when the server closes


def test_wrong_spikes_end_the_connection_and_a_good_client_is_served(
    server, build, sent, expected
):
    with greeted(server) as link:
        link.recv(SOON_S)
        program = (build.folder / "program.h5").read_bytes()
        link.send(json.dumps({"say": "load", "size": len(program)}))
        link.send(program)
        assert json.loads(link.recv(SOON_S))["say"] == "loaded"
        link.send(json.dumps({"say": "run", "wanted": {}, "inputs": [
            {"name": "input", "dtype": "<f4", "shape": [1, 1, 2, 8, 7]}]}))
        said, code = answers(link)
    assert code == 1008
    assert said[0]["what"] == "sends no int32 (samples, steps, *(2, 8, 7)) of input 'input'"
    same(served(server, build, sent)[0], expected)


def test_a_damaged_program_is_refused_and_the_client_may_send_a_better_one(
    server, build
):
    with greeted(server) as link:
        link.recv(SOON_S)
        for program in (b"no program", (build.folder / "program.h5").read_bytes()):
            link.send(json.dumps({"say": "load", "size": len(program)}))
            link.send(program)
            answer = json.loads(link.recv(SOON_S))
            assert (answer["say"], answer.get("kind")) == (
                ("refusal", "refused") if len(program) < 100 else ("loaded", None))


def test_a_run_that_wants_nothing_of_a_population_that_is_not_there_is_refused(
    server, build, sent
):
    with greeted(server) as link:
        link.recv(SOON_S)
        order(link, build, sent, wanted={"nosuch": []})
        said, code = answers(link)
    assert (said[-1]["kind"], code) == ("closed", 1008)
    assert said[-1]["what"] == "wants 'nosuch', which cannot be read"


def test_a_program_that_hdf5_never_finishes_to_read_is_refused_and_the_next_one_runs(
    server, build, sent, expected
):
    """Takes as long as a program may take, `nmcompile.hdf5.SECONDS` of a processor."""
    program = gzip.decompress((GOLDENS / "endless.h5.gz").read_bytes())
    with greeted(server) as link:
        link.recv(SOON_S)
        link.send(json.dumps({"say": "load", "size": len(program)}))
        link.send(program)
        answer = json.loads(link.recv(60))
    assert answer["kind"] == "refused"
    assert answer["what"] == "is a damaged HDF5 file: reading it does not end"
    same(served(server, build, sent)[0], expected)


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.sampled_from(["tcp", "tls", "hello"]))
def test_noise_of_any_kind_does_no_harm(server, data, behind):
    with socket.create_connection(("127.0.0.1", server.port), SOON_S) as tcp:
        tcp.settimeout(0.05)
        with contextlib.suppress(OSError):
            if behind == "tcp":
                tcp.sendall(data)
                tcp.recv(100)
            else:
                with wire.client_context(server.key).wrap_socket(tcp) as link:
                    link.sendall(data if behind == "tls" else
                                 b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" + data)
                    link.recv(100)
    assert server.process.poll() is None


def test_many_silent_connections_keep_nobody_out(server, build, sent, expected):
    links = [socket.create_connection(("127.0.0.1", server.port), SOON_S) for _ in range(CROWD)]
    try:
        same(served(server, build, sent)[0], expected)
    finally:
        for link in links:
            link.close()
    files = Path(f"/proc/{server.process.pid}/fd")
    until(lambda: len(list(files.iterdir())) < 100)  # all are let go of


def test_a_client_that_goes_in_the_midst_of_a_run_leaves_the_device_to_the_next(
    build, sent, expected, tmp_path
):
    with serving(tmp_path, "waiting", marks=tmp_path) as server:
        with greeted(server) as link:
            link.recv(SOON_S)
            order(link, build, sent)
            until((tmp_path / BEGUN).exists)
            (tmp_path / CLOSED).unlink(missing_ok=True)
        until((tmp_path / CLOSED).exists)
        (tmp_path / GO).touch()
        same(served(server, build, sent)[0], expected)


def order(link, build, sent, wanted=()):
    """Order a load and a run."""
    program = (build.folder / "program.h5").read_bytes()
    link.send(json.dumps({"say": "load", "size": len(program)}))
    link.send(program)
    assert json.loads(link.recv(SOON_S))["say"] == "loaded"
    (name, values), = sent.items()
    link.send(json.dumps({"say": "run", "wanted": dict(wanted), "inputs": [
        {"name": name, "dtype": "<i4", "shape": values.shape}]}))
    link.send(values.tobytes())


def test_a_server_that_dies_is_a_lost_device_and_one_that_returns_goes_on(
    build, sent, expected, tmp_path
):
    with serving(tmp_path, "waiting", marks=tmp_path) as server:
        device = RemoteDevice()
        device.open(server.place)
        device.load(build.program, build.folder / "config")
        with pytest.raises(DeviceLostError, match="is gone"):
            device.run(sent, device.readable(), lambda steps: server.process.kill())
        device.close()
    (tmp_path / GO).touch()
    with serving(tmp_path, "waiting", port=server.port, marks=tmp_path):
        device.open(server.place)
        device.load(build.program, build.folder / "config")
        same(device.run(sent, device.readable(), lambda steps: None), expected)
        device.close()


def test_a_client_whose_connection_breaks_gets_the_device_again(build, sent, expected, tmp_path):
    with serving(tmp_path, "waiting", marks=tmp_path) as server:
        device = RemoteDevice()
        device.open(server.place)
        device.load(build.program, build.folder / "config")
        with pytest.raises(DeviceLostError, match="is gone"):
            device.run(sent, device.readable(),
                       lambda steps: device._link.socket.shutdown(socket.SHUT_RDWR))
        device.close()
        device.open(server.place)
        (tmp_path / GO).touch()
        device.load(build.program, build.folder / "config")
        same(device.run(sent, device.readable(), lambda steps: None), expected)
        device.close()


def test_a_device_that_fails_is_lost_and_the_next_client_served(build, sent, expected, tmp_path):
    with serving(tmp_path, "failing") as server:
        for steps, told in ((1, "device: failed: ZeroDivisionError: a fault of the device. The"),
                            (2, "board: does not answer. Switch it on.")):
            few = {name: values[:, :steps] for name, values in sent.items()}
            with pytest.raises(DeviceLostError, match=told):
                served(server, build, few)
        same(served(server, build, sent)[0], expected)
    assert "ZeroDivisionError: a fault of the device" in server.log.read_text()


def test_spikes_that_are_no_whole_numbers_are_no_answer(build, sent, tmp_path):
    assert any(port.variable == "spikes" for port in build.program.network.outputs)
    with serving(tmp_path, "real") as server, remote(server) as device:
        device.load(build.program, build.folder / "config")
        with pytest.raises(wire.WireError, match="answered with other arrays than were asked for"):
            device.run(sent, device.readable(), lambda steps: None)
        device.begin()
        with pytest.raises(wire.WireError, match="answered with other arrays than the outputs'"):
            device.step({name: values[0, 0] for name, values in sent.items()})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_closes_the_device_and_tells_the_client(build, sent, tmp_path, number):
    with serving(tmp_path, "waiting", marks=tmp_path) as server:
        device = RemoteDevice()
        device.open(server.place)
        device.load(build.program, build.folder / "config")

        (tmp_path / CLOSED).unlink(missing_ok=True)
        interrupts = iter([number])

        def interrupt(steps):
            for signalled in interrupts:
                server.process.send_signal(signalled)

        with pytest.raises(DeviceLostError):
            device.run(sent, device.readable(), interrupt)
        device.close()
        assert server.process.wait(SOON_S) == 130
        assert (tmp_path / CLOSED).exists()
    assert server.log.read_text().splitlines()[-1] == "stopped serving sim after 1 client"


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:x", "a@host:1", "host:1/x",
                                     "host:99999", "host:0", "a..b:7140", "a" * 64 + ":7140"])
def test_an_address_is_a_host_and_a_port(address, server):
    with pytest.raises(NmcError) as error:
        RemoteDevice().open(Place(address=address, options=server.place.options))
    assert str(error.value) == (f"remote: '{address}' is no address. Name it as "
                                "remote:HOST:PORT.")


def test_a_port_where_nobody_listens_is_told(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NmcError) as error:
        RemoteDevice().open(Place(address=f"127.0.0.1:{port}", options=server.place.options))
    assert str(error.value) == (f"remote 127.0.0.1:{port}: does not answer (Connection refused). "
                                "Start nmc serve there, or name its --port.")


def test_nmc_serve_makes_keys_and_refuses_what_it_cannot_serve(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("NMC_KEY_FILE", raising=False)
    run = partial(command, capsys, monkeypatch, "serve")
    key = tmp_path / "key"
    assert run("--new-key", key).out == f"key       {key}\n"
    assert run("sim").err.startswith("nmc: error: key: none was given, and NMC_KEY_FILE names none")
    assert line_of_error(run("--key-file", key).err) == (
        "DEVICE: is missing. Name a device, such as sim.")
    assert "'chip' is not known" in run("chip", "--key-file", key).err
    assert "sim" in run("sim:here", "--key-file", key).err
    assert "which needs no server" in run("file:r.npz", "--key-file", key).err
    assert "cannot listen on a..b port 7140" in run("sim", "--key-file", key, "--host", "a..b").err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("sim", "--key-file", key, "--port", port)
    assert result.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in result.err


def test_a_network_that_does_not_start_is_told_and_leaves_no_thread(tmp_path, monkeypatch):
    async def network(desk, listener, context, started):
        raise ValueError("no network")

    monkeypatch.setattr(server_module, "_network", network)
    offer = Offer(make=SimDevice, key=tmp_path / "key")
    with pytest.raises(ValueError, match="no network"), server_module._listening(None, offer, None):
        pass
    assert "network" not in {thread.name for thread in threading.enumerate()}


def test_nmc_validate_runs_a_build_on_a_remote_device(server, build, sent, capsys, monkeypatch,
                                                      tmp_path):
    np.savez(tmp_path / "data.npz", x=sent["input"])
    result = command(capsys, monkeypatch, "validate", build.folder, "--device",
                 f"remote:127.0.0.1:{server.port}", "--device-option", f"key={server.key}",
                 "--input", tmp_path / "data.npz", "--fail-above", "spikes=0,states=0", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["device"] == f"sim at 127.0.0.1:{server.port}"
    assert told["divergence"] is None


@pytest.mark.parametrize(("hint", "told"), [
    ("Give --device-option take=yes.", "Give --device-option take=yes. (of nmc serve, there)"),
    ("Use shorter samples.", "Use shorter samples."),
])
def test_options_of_the_device_are_those_of_the_server(hint, told):
    assert remote_module._there(hint) == told


def test_a_client_without_an_entry_in_passwd_goes_by_its_number(monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(remote_module.getpass, "getuser", nobody)
    assert remote_module._who().startswith(f"{os.getuid()}@")
