"""What a report shows of the first samples is what a run of them gives."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed, telling
from helpers.spinnaker_compiled import compiled as on_spinnaker
from helpers.spinnaker_compiled import convolving_network, spikes_for

from nmcompile.errors import Interrupted
from nmcompile.ir.neurons.base import level_of
from nmcompile.report import look, look_figures
from nmcompile.simulation import timing_of
from nmcompile.simulator import TIMINGS, Exit, Modes, Perturbation, simulate

NETWORKS = {"relays": relayed, "sigma-delta": telling}
SAMPLES, STEPS = 40, 25


@pytest.fixture(scope="module", params=NETWORKS)
def seen(request):
    """A program, its input, a plain run of the samples that are looked at, and the look."""
    made = program(NETWORKS[request.param](1), cut=2)
    sent = payloads(made.network, STEPS, np.random.default_rng(0), samples=SAMPLES)
    timing = TIMINGS["fast"](made)
    told = look_figures(made, sent, timing, Modes())
    first = {name: values[: told["samples"]] for name, values in sent.items()}
    return made, sent, simulate(made, first, record=("*",), timing=timing), told


def of_layers(seen):
    made, _, run, told = seen
    for layer, population in zip(told["layers"], made.network.populations, strict=True):
        assert layer["name"] == population.name
        records = run.records[population.name]
        yield layer, population, records["spikes"].reshape(run.samples, STEPS, -1), records["v"]


def test_one_sample_in_eight_is_looked_at(seen):
    assert seen[3]["samples"] == SAMPLES // 8


def test_rates_count_what_neurons_send_with_any_payload(seen):
    for layer, population, spikes, _ in of_layers(seen):
        rates = np.count_nonzero(spikes, axis=(0, 1)) / (len(spikes) * STEPS)
        counts, edges = np.histogram(rates, layer["rates"]["edges"])
        assert counts.tolist() == layer["rates"]["neurons"]
        assert sum(layer["rates"]["neurons"]) == population.size
        assert edges[-1] == pytest.approx(rates.max() or 1)
        assert layer["silent"] == np.count_nonzero(rates == 0)


def test_a_raster_has_the_spikes_of_the_first_sample(seen):
    for layer, population, spikes, _ in of_layers(seen):
        assert layer["raster"]["of"] == population.size <= look.ROWS
        step, neuron = np.nonzero(spikes[0])
        assert layer["raster"]["step"] == step.tolist()
        assert layer["raster"]["neuron"] == neuron.tolist()


def test_membranes_are_those_of_all_steps_with_their_threshold(seen):
    for layer, population, _, v in of_layers(seen):
        told = layer["membrane"]
        low, high = told["edges"][0], told["edges"][-1]
        inside = v[(v >= low) & (v <= high)]
        assert sum(told["counts"]) == len(inside)
        assert (told["below"], told["above"]) == (np.count_nonzero(v < low),
                                                  np.count_nonzero(v > high))
        assert max(told["below"], told["above"]) <= max(0.01 * v.size, 1)
        level = level_of(population.neuron)
        assert told["level"] == (None if level is None else [level.min(), level.max()])


def test_steps_are_those_of_the_first_sample(seen):
    made, sent, run, told = seen
    steps = told["steps"]
    np.testing.assert_allclose(steps["seconds"], run.step_s[0])
    one = simulate(made, {name: values[:1] for name, values in sent.items()})
    for index, population in enumerate(made.network.populations):
        mine = made.mapping.slices.population == index
        assert sum(steps["spikes"][population.name]) == one.counts.spikes[:-1][mine].sum()
    assert sum(steps["inputs"]) == one.counts.spikes[-1]
    names = {p.name for p in made.network.populations}
    assert {layer for layer in steps["layer"] if layer is not None} <= names
    assert [core is None for core in steps["core"]] == [busy == 0 for busy in steps["busy_s"]]


def test_links_carry_all_packets_of_these_samples_until_the_last_layer_is_done(seen):
    _, _, run, told = seen
    assert run.frames > run.samples * STEPS
    assert sum(told["links"]["packets"]) * run.frames == pytest.approx(
        run.counts.hops.sum(), rel=1e-6)


@pytest.mark.parametrize("lost", [0.0, 0.3])
def test_links_carry_what_a_chip_whose_time_changes_spikes_counts(lost):
    made = on_spinnaker(convolving_network(1), 1, cores=2)
    sent = spikes_for(made, 1, samples=3)
    modes = Modes(perturb=Perturbation(drop=lost) if lost else None)
    told = look_figures(made, sent, timing_of(made, "cycle"), modes)
    run = simulate(made, {name: values[: told["samples"]] for name, values in sent.items()},
                   timing=timing_of(made, "cycle"), modes=modes)
    assert run.counts.hops.sum() > 0
    assert sum(told["links"]["packets"]) * run.frames == pytest.approx(
        run.counts.hops.sum(), rel=1e-6)


def test_a_population_may_be_called_inputs():
    first = relayed(1)
    old = first.populations[0].name
    made = program(renamed(first, old, "inputs"), cut=2)
    sent = payloads(made.network, STEPS, np.random.default_rng(0), samples=8)
    steps = look_figures(made, sent, TIMINGS["fast"](made), Modes())["steps"]
    one = simulate(made, {name: values[:1] for name, values in sent.items()})
    mine = made.mapping.slices.population == 0
    assert sum(steps["inputs"]) == one.counts.spikes[-1]
    assert sum(steps["spikes"]["inputs"]) == one.counts.spikes[:-1][mine].sum()
    assert one.counts.spikes[-1] != one.counts.spikes[:-1][mine].sum()


def renamed(network, old, new):
    """`network` with another name of one of its populations."""
    def name(each):
        return new if each == old else each

    return replace(
        network,
        populations=tuple(replace(p, name=name(p.name)) for p in network.populations),
        projections=tuple(replace(p, source=name(p.source), target=name(p.target))
                          for p in network.projections),
        outputs=tuple(replace(o, population=name(o.population)) for o in network.outputs))


@pytest.mark.parametrize("stage", ["simulate", "each_step"])
def test_an_interruption_says_that_the_run_itself_was_done(seen, monkeypatch, stage):
    def press(*_, **__):
        raise Interrupted("interrupted after 3 of 9 steps of the first sample for the timeline")

    monkeypatch.setattr(f"nmcompile.report.look.{stage}", press)
    with pytest.raises(Interrupted) as error:
        look_figures(seen[0], seen[1], TIMINGS["fast"](seen[0]), Modes())
    assert str(error.value) == ("interrupted in a closer look at the first samples for the report; "
                                "all 40 samples were done")


def test_samples_that_stop_early_are_looked_at_whole_but_for_their_steps(seen):
    made, sent, _, told = seen
    modes = Modes(exit_at=Exit(confidence=0.3))
    stopped = look_figures(made, sent, TIMINGS["fast"](made), modes)
    run = simulate(made, {name: values[:1] for name, values in sent.items()}, modes=modes)
    assert stopped["layers"] == told["layers"]
    assert len(stopped["steps"]["seconds"]) == run.ran[0]


def test_what_goes_wrong_in_a_run_goes_wrong_in_the_look(seen):
    made, sent, _, told = seen
    modes = Modes(perturb=Perturbation(drop=0.5))
    disturbed = look_figures(made, sent, TIMINGS["fast"](made), modes)
    run = simulate(made, {name: values[:5] for name, values in sent.items()}, modes=modes,
                   record=("spikes",))
    assert disturbed["layers"] != told["layers"]
    for layer in disturbed["layers"]:
        spikes = run.records[layer["name"]]["spikes"][0].reshape(STEPS, -1)
        assert layer["raster"]["step"] == np.nonzero(spikes)[0].tolist()


def test_of_a_large_network_few_steps_of_one_sample_are_looked_at():
    net = relayed(0)
    large = replace(net, populations=tuple(
        replace(p, shape=(1, 1, look.VALUES)) for p in net.populations))
    assert look.looked_at(large, 1000, 100) == (1, look.FEWEST_STEPS)
    assert look.looked_at(net, 1000, 10) == (look.MOST_SAMPLES, 10)
    assert look.looked_at(net, 1, 10) == (1, 10)
