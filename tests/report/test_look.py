"""What a report shows of the first samples is what a run of them gives."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed, telling

from nmcompile.errors import Interrupted
from nmcompile.ir.neurons.base import level_of
from nmcompile.report import look, look_figures
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
    assert sum(steps["spikes"]["inputs"]) == one.counts.spikes[-1]
    names = {p.name for p in made.network.populations}
    assert {layer for layer in steps["layer"] if layer is not None} <= names
    assert [core is None for core in steps["core"]] == [busy == 0 for busy in steps["busy_s"]]


def test_links_carry_the_packets_of_these_samples(seen):
    _, _, run, told = seen
    hops = run.counts.hops.sum() / (run.samples * STEPS)
    # a chip runs on after a network's last step, until its last layer is done
    assert sum(told["links"]["packets"]) == pytest.approx(hops, rel=0.05)


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
