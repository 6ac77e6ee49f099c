"""lava-dl's `.net` files: the recorded outputs of its own networks, and what cannot go in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.lava_file import FRONTEND
from nmcompile.ir import Network, run, run_aligned
from nmcompile.ir.neurons import CubaLIF
from nmcompile.passes.quantize import payloads
from nmcompile.pipeline import compile_stage
from nmcompile.target import load_target

DATA = Path(__file__).parents[3] / "shared" / "data" / "lava"
TURNS = {"type": b"RF_PHASE", "sinDecay": 3000, "cosDecay": 2000, "vThMant": 20}
COMPLEX = {"real": np.full((3, 2), 4), "imag": np.full((3, 2), 6)}
CUBA = {"type": b"CUBA", "iDecay": 1024, "vDecay": 128, "vThMant": 80, "refDelay": 1}


def written(path: Path, *layers: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            for name, value in layer.items():
                if isinstance(value, dict):
                    for field, inner in value.items():
                        group[f"{name}/{field}"] = inner
                else:
                    group[name] = value
    return path


def dense(n_in: int, n_out: int, **changes: Any) -> dict[str, Any]:
    weight = np.random.default_rng(n_in).integers(-20, 40, (n_out, n_in)) * 2
    return {"type": b"dense", "shape": [n_out], "weight": weight, "neuron": CUBA, **changes}


def network(path: Path) -> Network:
    assert FRONTEND.claims(path)
    return FRONTEND.load(Request(path=path)).network


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/lava")
def test_lava_dl_s_small_network_gives_its_recorded_spikes() -> None:
    found = network(DATA / "tiny.net")
    pixels = (np.load(DATA / "tiny_input_bias.npy").transpose(2, 1, 0) - 34) / 36
    inputs = {"input": np.repeat(pixels[None, None], 16, axis=1).astype(np.float32)}
    records = run(found, inputs).records
    for name, file in (("input_0", "tiny_input"), ("conv_1", "tiny_layer1"),
                       ("conv_2", "tiny_output")):
        recorded = np.moveaxis(np.load(DATA / f"{file}.npy")[0], -1, 0)
        assert recorded.sum() > 50
        assert np.array_equal(records[name]["spikes"][0, :-1], recorded[1:])  # it begins at 1


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/lava")
def test_lava_dl_s_trained_network_fires_as_slayer_recorded() -> None:
    """The record is of a SLAYER that still fired at the threshold itself; Lava fires above it."""
    found = network(DATA / "oxford.net")
    arriving, recorded = np.zeros((1, 2000, 200), np.float32), np.zeros((2000, 200))
    for events, grid in ((np.load(DATA / "oxford_input.npy"), arriving[0]),
                         (np.load(DATA / "oxford_ground_truth.npy"), recorded)):
        grid[np.rint(events[:, 2]).astype(int), events[:, 0].astype(int)] = 1
    older = replace(found, populations=tuple(
        replace(p, neuron=replace(p.neuron, fires_at_threshold=True)) for p in found.populations))
    spikes = run(older, {"input": arriving}).records["dense_1"]["spikes"][0]
    assert recorded.sum() == 10178
    assert np.array_equal(spikes[:-2], recorded[2:])


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/lava")
def test_decays_thresholds_and_weights_are_the_file_s() -> None:
    found = network(DATA / "mnist_128_64_10.net")
    assert [p.shape for p in found.populations] == [(128,), (64,), (10,)]
    neuron = found.populations[0].neuron
    assert isinstance(neuron, CubaLIF)
    assert (neuron.decay, neuron.current_decay) == (np.float32(3686 / 4096),) * 2
    assert neuron.threshold == 64
    with h5py.File(DATA / "mnist_128_64_10.net") as file:
        weight = file["layer/0/weight"][()]
    assert np.array_equal(found.projections[0].map.weights().reshape(128, 784), weight)


def test_delays_reach_their_synapses_and_recurrence_the_next_step(tmp_path: Path) -> None:
    delay = np.array([[0, 1], [2, 5], [1, 0]])
    back = np.diag([7, 0, 0])
    first = dense(2, 3, weight=np.arange(1, 7).reshape(3, 2), delay=delay,
                  neuron={**CUBA, "iDecay": 4096, "vDecay": 4096, "vThMant": 3})
    found = network(written(tmp_path / "m.net", {
        **first, "type": b"dense_rec", "weight_rec": back}))
    inputs = np.zeros((1, 8, 2), np.float32)
    inputs[0, 0] = 1
    v = run(found, {"input": inputs}).records["dense_rec_0"]
    arrived = np.zeros((8, 3))
    for (row, column), steps in np.ndenumerate(delay):
        arrived[steps, row] += first["weight"][row, column]
    fired = arrived > 3
    assert not fired[:, 0].any()
    assert np.array_equal(v["spikes"][0], fired)


def test_pools_sum_their_window_and_flatten_keeps_the_order(tmp_path: Path) -> None:
    image = {"type": b"input", "shape": [2, 4, 4]}
    pool = {"type": b"pool", "shape": [2, 2, 2], "kernelSize": [2, 2], "weight": [3],
            "neuron": {**CUBA, "vThMant": 4}}
    found = network(written(tmp_path / "m.net", image, pool, {"type": b"flatten"}, dense(8, 3)))
    inputs = np.zeros((1, 1, 2, 4, 4), np.float32)
    inputs[0, 0, 1, 2:, :2] = 1
    u = run(found, {"input": inputs}).records["pool_1"]["u"][0, 0]
    assert u[1, 1, 0] == 12
    assert np.count_nonzero(u) == 1


def test_a_file_s_integers_go_to_the_chip_as_they_are(tmp_path: Path) -> None:
    quick = {**CUBA, "vThMant": 300}
    path = written(tmp_path / "m.net", dense(6, 20, neuron=quick, bias=np.arange(20) * 2),
                   dense(20, 12, neuron=quick), dense(12, 5, neuron=quick))
    inputs = (np.random.default_rng(2).random((6, 40, 6)) < 0.5).astype(np.float32)
    compiled = compile_stage(FRONTEND.load(Request(path=path, sample=inputs)),
                              load_target("loihi2"))
    program, found = compiled.program, network(path)
    sent = {"input": inputs.astype(np.int32)}
    chip = run_aligned(program.network, program.latency, sent)
    wanted = run(found, {"input": inputs}).records
    for name, record in wanted.items():
        assert record["spikes"].sum() > 10
        np.testing.assert_array_equal(chip.spikes(name), record["spikes"])


def test_messages_of_a_sigma_delta_file_go_to_the_chip_as_they_are(tmp_path: Path) -> None:
    cell = {"type": b"SDNN", "vThMant": 6}
    path = written(
        tmp_path / "m.net", {"type": b"input", "shape": [6], "neuron": cell},
        dense(6, 9, neuron=cell, bias=np.arange(9) * 2), dense(9, 7, neuron=cell),
        dense(7, 4, neuron={**cell, "sigma_output": True}))
    values = np.random.default_rng(2).integers(-60, 60, (3, 30, 6)).astype(np.float32) / 64
    compiled = compile_stage(FRONTEND.load(Request(path=path, sample=values)),
                              load_target("loihi2"))
    program = compiled.program
    sent = {"input": payloads(program.network.inputs[0], values)}
    chip = run_aligned(program.network, program.latency, sent)
    wanted = run(network(path), {"input": values}).records
    for name in ("input_0", "dense_1", "dense_2"):
        assert np.count_nonzero(wanted[name]["spikes"]) > 20
        np.testing.assert_array_equal(chip.spikes(name), wanted[name]["spikes"] * 64)


@pytest.mark.parametrize("kind", [b"RF_PHASE", b"RF_IZHIKEVICH"])
def test_resonators_of_a_file_go_to_the_chip_as_they_are(tmp_path: Path, kind: bytes) -> None:
    rng = np.random.default_rng(3)
    cell = {"type": kind, "sinDecay": 1500, "cosDecay": 2500, "vThMant": 60}

    def layer(n_in: int, n_out: int) -> dict[str, Any]:
        parts = {part: rng.integers(-40, 60, (n_out, n_in)) * 2 for part in ("real", "imag")}
        return dense(n_in, n_out, weight=parts, neuron=cell)

    path = written(tmp_path / "m.net", layer(12, 20), layer(20, 10), layer(10, 6))
    inputs = (rng.random((4, 50, 12)) < 0.3).astype(np.float32)
    compiled = compile_stage(FRONTEND.load(Request(path=path, sample=inputs)),
                              load_target("loihi2"))
    program, wanted = compiled.program, run(network(path), {"input": inputs}).records
    chip = run_aligned(program.network, program.latency, {"input": inputs.astype(np.int32)})
    for name, record in wanted.items():
        assert record["spikes"].sum() > 20
        np.testing.assert_array_equal(chip.spikes(name), record["spikes"])
        for state in ("re", "v"):
            np.testing.assert_array_equal(chip.records[name][state], record[state] * 64)
    with pytest.raises(NmcError) as error:
        compile_stage(FRONTEND.load(Request(path=path, sample=inputs)), load_target("loihi1"))
    assert str(error.value) == "dense_0: loihi1 has no 'resonate-and-fire' neuron."


def test_an_average_is_the_mean_of_each_group_at_the_end_or_between_layers(tmp_path: Path) -> None:
    mean = {"type": b"average", "shape": [2, 1, 1]}
    found = network(written(tmp_path / "end.net", dense(3, 6), mean))
    inputs = {"input": (np.random.default_rng(1).random((2, 20, 3)) < 0.5).astype(np.float32)}
    records = run(found, inputs).records
    spikes = records["dense_0"]["spikes"]
    assert spikes.sum() > 5
    np.testing.assert_allclose(records["average"]["v"], spikes.reshape(2, 20, 2, 3).mean(-1))
    assert [(o.population, o.variable) for o in found.outputs] == [("average", "v")]
    found = network(written(tmp_path / "m.net", dense(3, 6), mean, dense(2, 4)))
    u = run(found, inputs).records["dense_2"]["u"][:, 0]
    weight = found.incoming("dense_2")[0].map.maps[1].weight
    wanted = spikes[:, 0].reshape(2, 2, 3).mean(-1) @ weight.T
    np.testing.assert_allclose(u, np.trunc(wanted * 64) / 64, atol=1 / 64)


REFUSALS = {
    "neuron": ([dense(2, 3, neuron={**CUBA, "type": b"ADRF"})],
               "layer 0 (dense): neurons of type ADRF cannot be compiled. CUBA, ALIF, SDNN, RF_PHASE and "
               "RF_IZHIKEVICH are supported."),
    "graded": ([dense(2, 3, neuron={**CUBA, "gradedSpike": True})],
               "layer 0 (dense): graded spikes cannot be compiled, but those of SDNN."),
    "activation": ([dense(2, 3, neuron={"type": b"SDNN", "vThMant": 6, "activation": b"tanh"})],
                   "layer 0 (dense): an activation of tanh cannot be compiled. relu is supported."),
    "norm": ([dense(2, 3, neuron={**CUBA, "weight_exp": [1.0]})],
             "layer 0 (dense): the exponents of a WgtScaleBatchNorm cannot be compiled. Train with "
             "MeanOnlyBatchNorm."),
    "real weights": ([dense(2, 3, neuron=TURNS)],
                     "layer 0 (dense): complex weights and resonators belong together."),
    "complex weights": ([dense(2, 3, weight=COMPLEX)],
                        "layer 0 (dense): complex weights and resonators belong together."),
    "half complex": ([dense(2, 3, weight={"real": np.ones((3, 2))}, neuron=TURNS)],
                     "layer 0 (dense): its weight holds real, expected real and imag."),
    "growing": ([dense(2, 3, weight=COMPLEX, neuron={**TURNS, "cosDecay": 4000})],
                "layer 0 (dense): its sinDecay and cosDecay lie outside of a circle of 4096."),
    "own decays": ([dense(2, 3, neuron={**CUBA, "iDecay": [1, 2]})],
                   "layer 0 (dense): iDecay holds 2 numbers for a shape of (3,)."),
    "means": ([dense(2, 3), {"type": b"average", "shape": [2]}],
              "layer 1 (average): 3 values do not divide into 2 means."),
    "shape": ([dense(2, 3), dense(4, 2)],
              "layer 1 (dense): its weight has shape (2, 4), expected (2, 3)."),
    "kind": ([dense(2, 3), {"type": b"unpool", "shape": [3], "neuron": CUBA}],
             "layer 1 (unpool): a layer of this kind cannot be compiled. input, flatten, dense, "
             "dense_rec, conv, pool and average are supported."),
    "decay": ([dense(2, 3, neuron={**CUBA, "vDecay": 5000})],
              "layer 0 (dense): vDecay spans 5000 to 5000, expected 0 to 4096."),
    "delay": ([dense(2, 3, delay=np.full((3, 2), 1.5))],
              "layer 0 (dense): its 6 delays do not fit weights of 3 x 2."),
    "missing": ([dense(2, 3, neuron={"type": b"CUBA", "iDecay": 1})],
                "layer 0 (dense): its vDecay is no whole number."),
    "not finite": ([dense(2, 3, weight=np.full((3, 2), np.nan))],
                   "layer 0: its weight holds something else than numbers below 2.14748e+09."),
    "text": ([dense(2, 3, weight=b"/etc/passwd")],
             "layer 0 (dense): its weight holds no array of numbers."),
    "text of a shape": ([{**dense(2, 3), "shape": b"/etc/passwd"}],
                        "layer 0 (dense): its shape holds no array of numbers."),
    "text of a bias": ([dense(2, 3, bias=b"x")],
                       "layer 0 (dense): its bias holds no array of numbers."),
    "input": ([{"type": b"conv", "shape": [2, 2, 2], "neuron": CUBA}],
              "layer 0 (conv): the shape of its input is not in the file. Export the network with "
              "its input layer."),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_compiled_is_refused_by_layer(tmp_path: Path, name: str) -> None:
    layers, message = REFUSALS[name]
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(path=written(tmp_path / "m.net", *layers)))
    assert str(error.value) == message
