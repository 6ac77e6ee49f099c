"""Counts are those of a plain walk over synapses; estimates are the figures that papers print."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from helpers.accepted import all_networks, drawn, of_map
from helpers.loihi_programs import payloads, program, relayed, telling
from helpers.networks import conv_network, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi import BACKEND

from nmcompile.ir import Network, run
from nmcompile.ir.maps import Chain, Conv, LinearMap, Scale, pool
from nmcompile.mapping.capacity import demand
from nmcompile.report import ReportFile, compiled_figures, look_figures, run_figures
from nmcompile.report.yardsticks import estimates, real_counts, spiking_energy
from nmcompile.report.yardsticks.neurobench import connections
from nmcompile.simulator import TIMINGS, Modes, simulate

# Spikingformer-8-512 on ImageNet: share of 1 in what each layer takes, in %, and of queries, keys
# and values; github.com/zhouchenlin2096/Spikingformer at 4378623, imagenet/energy_consumption_logs/
# energy_consumption_of_Spikingformer-8-512_log.txt
PATCHES = (25.8312565, 15.3364436, 13.1065373, 12.9557331)  # proj_conv1 to 3, rpe_conv
BLOCKS = (  # q, k and v take the same; then proj, fc1, fc2
    (17.6595751, 29.7803004, 26.76769, 3.2887097), (33.7953024, 30.9584658, 33.0194005, 2.9645371),
    (34.2222987, 31.4189673, 34.7303054, 2.5598328), (34.4263662, 29.0892771, 34.6611222, 1.9291375),
    (34.3272679, 20.9885448, 36.0386227, 1.4209009), (35.9286898, 16.5693003, 35.9497969, 0.9525626),
    (34.2288006, 10.6833842, 32.2695614, 0.5689416), (31.7671993, 9.4771215, 29.923303, 1.3768484))
ATTENTION = (
    (0.17230188630104062, 0.03626344770312309, 0.06957707978010177),
    (0.11627475060462952, 0.040295450145006184, 0.07173207724809647),
    (0.10669307922124864, 0.044414592387676234, 0.07524623577594756),
    (0.08188644799470902, 0.05000199048876763, 0.0768778057050705),
    (0.06365273276925086, 0.04325467040181161, 0.07054187965631485),
    (0.07711239219903945, 0.0311313860142231, 0.07321582739830017),
    (0.07023756886482238, 0.024202287513613703, 0.07348622434139251),
    (0.09727698216676713, 0.02812242347121239, 0.07954712931871415))


def spikingformer() -> tuple[float, float]:
    """MACs and ACs of that network from its layers' sizes and rates; STEPS x rate x dense."""
    steps, width, tokens = 4, 512, 14 * 14
    macs = steps * 224 * 224 * 9 * 3 * 64 + width * 1000 + 1000  # first convolution and head
    sides, channels = (112, 56, 28, 14), (64, 128, 256, 512, 512)
    acs = sum(rate / 100 * steps * side**2 * 9 * channels[i] * channels[i + 1]
              for i, (rate, side) in enumerate(zip(PATCHES, sides, strict=True)))
    for qkv, proj, fc1, fc2 in BLOCKS:
        acs += steps * tokens / 100 * (
            3 * qkv * width * width + proj * (width + 1) * width
            + fc1 * (width + 1) * 4 * width + fc2 * (4 * width + 1) * width)
    for q, k, v in ATTENTION:
        acs += steps * 8 * tokens * (width // 8) ** 2 * (min(k, v) + q)
    return macs, acs


def test_a_published_configuration_gives_the_energy_that_its_repository_prints() -> None:
    """0.347329512 G MACs and 6.51754094076244 G ACs are 7.463502601886196 mJ there."""
    macs, acs = spikingformer()
    assert macs == 0.347329512e9
    assert acs == pytest.approx(6.51754094076244e9, rel=1e-8)
    assert spiking_energy(macs, acs) == pytest.approx(7.463502601886196e-3, rel=1e-8)


@pytest.mark.parametrize(("macs", "acs", "millijoules"), [
    (0.347329512, 6.51754094076244, 7.463502601886196),    # Spikingformer-8-512
    (0.520993768, 12.513659576717108, 13.658864951845398),  # Spikingformer-8-768
])
def test_its_operations_give_it_to_the_last_digits(macs, acs, millijoules) -> None:
    assert spiking_energy(macs * 1e9, acs * 1e9) == pytest.approx(millijoules * 1e-3, rel=1e-15)


def test_connections_are_those_of_its_layers_without_padding() -> None:
    kernel = Conv(weight=np.ones((512, 512, 1, 1), np.float32), in_shape=(512, 14, 14))
    assert 4 * connections(kernel) == 205520896


def matrix(linear: LinearMap, weights: np.ndarray | None = None) -> np.ndarray:
    """(n_in, n_out) what each source brings to each target."""
    changed = linear if weights is None else linear.with_weights(weights)
    return changed.apply(np.eye(prod(linear.in_shape)))


def walked(net: Network, inputs: dict[str, np.ndarray], name: str) -> tuple[int, int, int]:
    """MACs, ACs and all operations of the layers before population `name`, synapse by synapse."""
    trace, found = run(net, inputs), np.zeros(3, int)
    samples, steps = next(iter(inputs.values())).shape[:2]
    for p in net.incoming(name):
        sent = inputs.get(p.source)
        sent = trace.spikes(p.source) if sent is None else sent
        for step in range(steps):
            now = np.zeros((samples, prod(sent.shape[2:])))
            if step >= p.delay:
                now = sent[:, step - p.delay].reshape(samples, -1).astype(float)
            for link in p.map.maps if isinstance(p.map, Chain) else (p.map,):
                pooling = isinstance(link, Conv) and np.ptp(link.weight) == 0
                if not isinstance(link, Scale) and not pooling:
                    reached = matrix(link, (link.weights() != 0).astype(float))
                    done = int(((now != 0) @ reached).sum())
                    found[int(set(np.unique(now)) <= {-1.0, 0.0, 1.0})] += done
                    found[2] += samples * int(matrix(link, np.ones(link.weights().size)).sum())
                now = link.apply(now)
    return tuple(found)


@given(seed=st.integers(0, 30), values=st.booleans())
@settings(max_examples=8, deadline=None)
def test_operations_are_those_of_a_walk_over_all_synapses(seed: int, values: bool) -> None:
    net = conv_network(seed)
    inputs = spikes(net, samples=2, steps=6, seed=seed)
    if values:
        inputs = {name: v * np.float32(0.75) for name, v in inputs.items()}
    counts = real_counts(net, inputs)
    for layer in counts["layers"]:
        macs, acs, dense = walked(net, inputs, layer["name"])
        assert (2 * layer["effective_macs"], 2 * layer["effective_acs"], 2 * layer["dense"]) == (
            macs, acs, dense)
    assert counts["dense"] == sum(layer["dense"] for layer in counts["layers"]) > 0


@pytest.mark.parametrize("name", sorted(all_networks("loihi2")))
def test_networks_of_every_neuron_and_map_are_counted(name: str) -> None:
    net = all_networks("loihi2")[name]
    inputs = drawn(net, 3)
    counts = real_counts(net, inputs)
    assert counts["dense"] > counts["effective_acs"] > 0
    for layer in counts["layers"]:
        assert (3 * layer["effective_macs"], 3 * layer["effective_acs"], 3 * layer["dense"]) == (
            pytest.approx(walked(net, inputs, layer["name"])))


def test_spikes_that_arrive_after_the_last_step_are_not_counted() -> None:
    net = of_map("loihi2", "delay")
    inputs = {name: values[:, :2] for name, values in drawn(net, 3).items()}
    assert max(p.delay for p in net.projections) > 2
    last = real_counts(net, inputs)["layers"][-1]
    assert 3 * last["effective_acs"] == walked(net, inputs, "out")[1]


@pytest.mark.parametrize("channels", [1, 3])
def test_pooling_is_no_layer_and_a_depthwise_convolution_is_one(channels: int) -> None:
    averaged = pool((channels, 4, 4), (2, 2), (2, 2), (0, 0), average=True)
    kernel = averaged.with_weights(np.arange(4 * channels, dtype=np.float32) + 1)
    assert connections(averaged) == 0
    assert connections(kernel) == channels * 4 * 4
    assert connections(Conv(weight=np.ones((1, 1, 1, 1), np.float32), in_shape=(1, 4, 4))) == 16


@pytest.mark.parametrize("net", [relayed(1), telling(2)], ids=["relayed", "telling"])
def test_the_chip_s_operations_are_its_spikes_times_their_synapses(net: Network) -> None:
    made = program(net, cut=2)
    sent = payloads(net, 9, np.random.default_rng(0), samples=3)
    ran = simulate(made, sent)
    needs = demand(net, made.mapping, made.target, BACKEND)
    chip = run_figures(compiled_figures(made, needs, ()), made, ran, None)["yardsticks"]["chip"]
    chip_steps = 9 + max(made.latency.values())
    trace = run(net, sent, chip_steps)
    graded = {p.name for p in net.populations if p.neuron.graded}
    graded |= {p.name for p in net.inputs if p.format.payload_bits}
    fired = {name: trace.spikes(name) for name in trace.records}
    for layer in chip["layers"]:
        events = 0
        for p in net.incoming(layer["name"]):
            source = sent.get(p.source, fired.get(p.source))
            fan = matrix(p.map, np.ones(p.map.weights().size)).sum(axis=1)
            often = np.count_nonzero(source.reshape(-1, prod(source.shape[2:])), axis=0)
            events += int((often * fan).sum())
        kinds = "macs" if any(p.source in graded for p in net.incoming(layer["name"])) else "acs"
        assert layer[f"effective_{kinds}"] == pytest.approx(events / 3, rel=1e-12)
        silent = 1 - np.count_nonzero(fired[layer["name"]]) / (
            fired[layer["name"]].size * (chip_steps - net.population(layer["name"]).start)
            / chip_steps)
        assert layer["activation_sparsity"] == pytest.approx(silent, abs=1e-12)
    assert chip["steps"] == chip_steps
    assert chip["membrane_updates"] == chip_steps * sum(p.size for p in net.populations)


COUNTS = {"effective_macs": 1000.0, "effective_acs": 50000.0, "connections": 4000, "states": 30,
          "neurons": 40, "steps": 10.0}


def test_estimates_are_sums_of_counts_times_constants() -> None:
    rows = {row["estimate"]: row for row in estimates("chip", COUNTS, COUNTS)}
    pico = {name: (row["spiking_j"] * 1e12, row["ann_j"] * 1e12) for name, row in rows.items()}
    assert pico["45nm_float32"] == pytest.approx((4.6 * 1000 + 0.9 * 50000, 4.6 * 4000))
    assert pico["45nm_int8"] == pytest.approx((0.23 * 1000 + 0.03 * 50000, 0.23 * 4000))
    assert pico["bit_serial"] == pytest.approx((4.6 * 1000 + 0.9 * 50000, 8 * 0.9 * 4000))
    assert pico["bit_serial_states"] == pytest.approx((
        49600 + 3.12 * 64 * 30 * 10, 28800 + 3.12 * 16 * 40))


@pytest.mark.parametrize("name", ["bit_serial", "bit_serial_states"])
def test_at_the_share_of_bits_that_is_told_both_cost_the_same(name: str) -> None:
    row = next(r for r in estimates("chip", COUNTS, COUNTS) if r["estimate"] == name)
    arithmetic = 8 * 0.9e-12 * 4000
    memory = row["ann_j"] - arithmetic
    assert row["even_at"] * arithmetic + memory == pytest.approx(row["spiking_j"])


def test_a_report_keeps_the_model_s_counts_beside_those_of_the_run() -> None:
    made = program(relayed(1), "loihi1", cut=2)
    needs = demand(made.network, made.mapping, made.target, BACKEND)
    real = conv_network()
    counts = real_counts(real, spikes(real, samples=2, steps=4))
    compiled = compiled_figures(made, needs, (), counts)
    before = ReportFile.model_validate(compiled).model_dump()
    assert before["yardsticks"]["float"] == counts
    assert before["yardsticks"]["chip"]["effective_acs"] is None
    assert {row["of"] for row in before["yardsticks"]["estimates"]} == {"float"}
    sent = payloads(made.network, 9, np.random.default_rng(0), samples=2)
    look = look_figures(made, sent, TIMINGS["fast"](made), Modes())
    figures = run_figures(before, made, simulate(made, sent), None, look=look)
    after = ReportFile.model_validate(figures).model_dump()["yardsticks"]
    assert after["float"] == counts
    assert after["chip"]["samples"] == 2
    again = run_figures(figures, made, simulate(made, sent), None)["yardsticks"]
    assert again == after  # a second run takes the place of the first
    ann = {row["of"]: row["ann_j"] for row in after["estimates"] if row["estimate"] == "45nm_int8"}
    assert ann["float"] == ann["chip"]  # of the model's own layers
