"""A mapped program spikes as its network, however finely it is cut."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import conv_network, small_target, spikes

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run, run_aligned
from nmcompile.ir.maps import Conv, Dense
from nmcompile.mapping import view
from nmcompile.mapping.capacity import demand, require_fit, slice_of_neurons
from nmcompile.passes.legalize.conv_algebra import conv_matrix
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.report.figures import run_figures
from nmcompile.simulator import KINDS, energy_by_slice, simulate
from nmcompile.target import Constant, load_target
from nmcompile.target.topology import tile_position


def compiled(target, seed=0):
    network = conv_network(seed)
    inputs = spikes(network)
    expected = run(network, inputs).records
    return compile_stage(Traced(network=network, inputs=inputs, expected=expected), target)


def payload(program, inputs):
    return {"input": inputs["input"].astype(np.int32)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "core",
    [
        {"neurons": 7},
        {"input_axons": 357, "neurons": 40},
        {"output_axons": 60},
        {"synapse_bits": 23_000},
        {"shared_kernels": False, "synapse_bits": 23_000},
        {"neurons": 1},
    ],
)
def test_many_small_cores_give_the_spikes_and_states_of_the_unmapped_network(core, seed):
    program = compiled(small_target(**core), seed).program
    assert len(program.mapping.slices) > 3
    inputs = payload(program, spikes(program.network, seed=seed + 100))
    wanted = run_aligned(program.network, program.latency, inputs)
    found = simulate(program, inputs, record=("spikes", "v", "u"))
    for name, record in wanted.records.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(found.records[name][variable], values)


def test_a_lost_axon_changes_spikes():
    program = compiled(small_target(neurons=7)).program
    axons = program.mapping.axons[1]
    moved = axons.slice.copy()
    moved[axons.start[10] : axons.start[200]] = axons.slice.min()
    broken = replace(
        program,
        mapping=replace(
            program.mapping,
            axons=(
                program.mapping.axons[0],
                replace(axons, slice=moved),
                *program.mapping.axons[2:],
            ),
        ),
    )
    inputs = payload(program, spikes(program.network))
    right = simulate(program, inputs, record=("u",)).records["rec"]["u"]
    wrong = simulate(broken, inputs, record=("u",)).records["rec"]["u"]
    assert (right != wrong).any()


@pytest.mark.parametrize("core", [{"neurons": 7}, {"input_axons": 357}, {"synapse_bits": 23_000}])
def test_every_neuron_lives_once_on_a_core_of_its_own_within_all_limits(core):
    target = small_target(**core)
    program = compiled(target).program
    slices = program.mapping.slices
    for index, population in enumerate(program.network.populations):
        held = np.zeros(view(population.shape), int)
        for i in np.flatnonzero(slices.population == index):
            (c0, y0, x0), (c1, y1, x1) = slices.low[i], slices.high[i]
            held[c0:c1, y0:y1, x0:x1] += 1
        assert (held == 1).all()
    assert len(np.unique(slices.core)) == len(slices)
    needs = demand(program.network, program.mapping, target, backend(target.family))
    for limit, value in core.items():
        assert getattr(needs, limit).max() <= value


def test_an_overfull_core_is_refused_by_layer_limit_need_and_allowance():
    result = compiled(load_target("loihi2"))
    with pytest.raises(NmcError) as error:
        require_fit(
            result.program.network,
            replace(result.program.mapping),
            small_target(neurons=100),
            result.demand,
        )
    assert str(error.value) == (
        "conv: needs 336 neurons on one core, loihi2 has 100 (published: core.neurons)."
    )


def test_a_neuron_with_more_inputs_than_a_core_has_axons_gets_them_from_graded_relays():
    result = compiled(small_target(input_axons=12))
    assert result.demand.input_axons.max() <= 12
    assert result.notes[-1].startswith("out: no core of loihi2 holds the ")
    assert [check.arrow for check in result.checks][-2:] == ["fan-in", "map"]


def test_a_network_too_large_for_the_target_is_refused_with_its_largest_layers():
    target = small_target(neurons=1)
    board = target.board.model_copy(
        update={"chips": target.board.chips.model_copy(update={"value": 1})}
    )
    with pytest.raises(NmcError) as error:
        compiled(target.model_copy(update={"board": board}))
    assert str(error.value) == (
        "network: needs 361 cores, loihi2 has 128 (1 chips of 128); largest layers: conv 336, "
        "rec 20, out 5. With --chips 3 it fits."
    )


def fan_out(linear):
    """Synapses of each source, from the map alone."""
    ones = linear.with_weights(np.ones(len(linear.weights())))
    if isinstance(linear, Dense):
        return ones.weight.sum(axis=0)
    return (conv_matrix(ones) if isinstance(linear, Conv) else ones.matrix()).sum(axis=1)


@pytest.mark.parametrize("core", [{}, {"neurons": 7}])
def test_synaptic_events_are_spikes_times_fan_out_however_the_network_is_cut(core):
    program = compiled(small_target(**core)).program
    inputs = payload(program, spikes(program.network))
    steps = 30 + max(program.latency.values())
    sent = {"input": np.pad(inputs["input"], ((0, 0), (0, steps - 30), *[(0, 0)] * 3))}
    sent |= {name: record["spikes"]
             for name, record in run(program.network, inputs, steps).records.items()}
    expected = sum(
        (sent[p.source].reshape(6 * steps, -1) @ fan_out(p.map)).sum()
        for p in program.network.projections
    )
    assert simulate(program, inputs).counts.events.sum() == expected


def test_packets_and_hops_are_those_of_a_walk_over_spikes_and_axons():
    program = compiled(small_target(neurons=7)).program
    inputs = payload(program, spikes(program.network, samples=2, steps=6))
    steps = 6 + max(program.latency.values())
    records = run(program.network, inputs, steps).records
    slices, names = program.mapping.slices, [p.name for p in program.network.populations]
    tiles = tile_position(program.target, slices.core)
    packets = hops = 0
    for projection, axons in zip(program.network.projections, program.mapping.axons, strict=True):
        inside = projection.source in names
        fired = records[projection.source]["spikes"] if inside else inputs["input"]
        owner = slice_of_neurons(program.network, slices, names.index(projection.source)
                                 ) if inside else None
        for source in np.nonzero(fired.reshape(-1, axons.start.size - 1))[1]:
            here = tiles[owner[source]] if inside else np.zeros(2, int)
            for end in axons.slice[axons.start[source] : axons.start[source + 1]]:
                packets += 1
                hops += int(np.abs(tiles[end] - here).sum())
    counts = simulate(program, inputs).counts
    assert packets > 0
    assert hops > 0
    assert counts.packets_out.sum() == counts.packets_in.sum() == packets
    assert counts.hops.sum() == hops


def test_layers_energy_adds_up_to_the_total_of_events_times_cost():
    program = compiled(small_target(neurons=7)).program
    run_ = simulate(program, payload(program, spikes(program.network)))
    energy, cost, counts = energy_by_slice(program, run_), program.target.energy_j, run_.counts
    assert set(energy) == set(KINDS)
    assert energy["synapse"].sum() == pytest.approx(counts.events.sum() * cost.synaptic_event.value)
    chips = len(np.unique(program.mapping.slices.core // program.target.cores_per_chip))
    assert energy["static"].sum() == pytest.approx(
        program.target.power_w.static.value * chips * run_.step_s.sum()
    )


def test_a_step_lasts_at_least_as_long_as_its_barrier_and_its_busiest_core():
    program = compiled(load_target("loihi2")).program
    run_ = simulate(program, payload(program, spikes(program.network)))
    quiet = simulate(program, {"input": np.zeros((2, 5, 2, 8, 7), np.int32)})
    barrier = program.target.time_s.barrier.value[0][1]
    updates = 336 * program.target.time_s.neuron_update.value
    assert quiet.step_s.min() >= barrier + updates
    assert run_.step_s.max() > quiet.step_s.min()


def test_a_core_that_is_a_processor_sends_and_receives_one_after_the_other():
    at_once = compiled(load_target("loihi2")).program
    flag = Constant[bool](value=True, unit="yes/no", kind="estimate", source="for this test")
    times = at_once.target.time_s.model_copy(update={"sequential": flag})
    in_turn = replace(at_once, target=at_once.target.model_copy(update={"time_s": times}))
    inputs = payload(at_once, spikes(at_once.network))
    one, both = simulate(at_once, inputs), simulate(in_turn, inputs)
    cost, counts = at_once.target.time_s, both.counts
    received = (counts.packets_in * cost.packet_in.value
                + counts.events * cost.synaptic_event.value)
    updated = at_once.mapping.slices.sizes() * both.step_s.size * cost.neuron_update.value
    assert np.all(counts.busy_s >= received + updated)
    assert np.all(one.counts.busy_s < counts.busy_s)
    assert both.step_s.mean() > one.step_s.mean()


def test_a_timer_starts_steps_and_those_that_outlast_its_tick_are_counted():
    plain = compiled(load_target("loihi2")).program
    lengths = simulate(plain, payload(plain, spikes(plain.network))).step_s
    tick = np.median(lengths)
    timed = Constant[float](value=tick, unit="s", kind="estimate", source="for this test")
    times = plain.target.time_s.model_copy(update={"tick": timed})
    program = replace(plain, target=plain.target.model_copy(update={"time_s": times}))
    run_ = simulate(program, payload(program, spikes(program.network)))
    np.testing.assert_array_equal(run_.step_s, np.maximum(lengths, tick))
    latency = run_figures({"layers": []}, program, run_, None)["latency_s"]
    assert latency["overruns"] == np.count_nonzero(lengths > tick) > 0
    assert run_figures({"layers": []}, plain, run_, None)["latency_s"]["overruns"] is None


def test_batches_do_not_change_a_run(monkeypatch):
    program = compiled(small_target(neurons=50)).program
    inputs = payload(program, spikes(program.network, samples=7))
    whole = simulate(program, inputs, record=("v",))
    monkeypatch.setattr("nmcompile.simulator.run.BATCH", 3)
    parts = simulate(program, inputs, record=("v",))
    np.testing.assert_array_equal(whole.records["out"]["v"], parts.records["out"]["v"])
    np.testing.assert_array_equal(whole.counts.events, parts.counts.events)
    np.testing.assert_allclose(whole.step_s, parts.step_s)
