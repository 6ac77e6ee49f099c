"""A report whose energies do not add up is none."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed
from nmcompile_backends.loihi import BACKEND
from pydantic import ValidationError

from nmcompile.mapping.capacity import demand
from nmcompile.report import ReportFile, compiled_figures, look_figures, run_figures
from nmcompile.report.figures import confusion
from nmcompile.simulator import TIMINGS, Exit, Modes, Perturbation, simulate


@pytest.fixture
def figures():
    made = program(relayed(1), "loihi1", cut=2)
    needs = demand(made.network, made.mapping, made.target, BACKEND)
    sent = payloads(made.network, 15, np.random.default_rng(0), samples=2)
    run = simulate(made, sent, modes=Modes(
        exit_at=Exit(confidence=0.9), perturb=Perturbation(stuck_cores=1)))
    wrong = {"weights": 0.0, "drop": 0.0, "add": 0.0, "stuck_cores": run.stuck.tolist(), "seed": 0}
    compiled = compiled_figures(made, needs, ())
    assert ReportFile.model_validate(compiled).model_dump() == compiled
    return run_figures(compiled, made, run, np.zeros(2, int), wrong,
                       look_figures(made, sent, TIMINGS["fast"](made), Modes()))


def test_the_figures_of_a_run_are_a_report(figures):
    assert ReportFile.model_validate(figures).model_dump() == figures
    assert figures["timing"] == "fast"
    assert figures["energy_range_j"]["synapse"]["low"] < figures["energy_j"]["synapse"]
    # hops between chips are an estimate of unknown error, for time and so for static energy too
    assert figures["energy_range_j"]["link"] is None
    assert figures["energy_range_j"]["static"] is None


def test_decisions_are_counted_by_label_and_class():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 9, (40, 2, 3)), rng.integers(0, 6, 40)
    run = SimpleNamespace(scores={"out": scores})
    counted = np.zeros((6, 6), int)
    for score, label in zip(scores, labels, strict=True):
        counted[label, score.ravel().argmax()] += 1
    assert confusion(run, labels) == counted.tolist()
    assert confusion(run, None) is None
    assert confusion(SimpleNamespace(scores={"out": np.zeros((2, 101))}), labels[:2] * 0) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f["layers"][1]["energy_j"].update(neuron=1.0), "energies of layers, neuron"),
        (lambda f: f["energy_by_core"]["synapse"].append(1.0), "energies of cores, synapse"),
        (lambda f: f["energy_by_constant"][0].update(energy_j=1.0),
         "energies of constants, synapse"),
        (lambda f: f["energy_j"].update(total=1.0), "energies of kinds add up to"),
        (lambda f: f.update(outside=None), "some figures of its run are missing"),
        (lambda f: f.update(look=None), "some figures of its run are missing"),
        (lambda f: f["cores_used"]["neurons"].append(0.5), "neurons is told of 19 cores"),
        (lambda f: f["energy_by_core"]["synapse"].append(0.0), "energy by core differ in length"),
        (lambda f: f["energy_by_core"]["core"].reverse(), "not that of the cores in use"),
        (lambda f: f.update(steps=None), "the steps of its run are missing"),
        (lambda f: f["floor"]["cores"]["row"].append(0), "its columns differ in length"),
        (lambda f: f["confusion"].pop(), "no square of counts"),
        (lambda f: f["confusion"][0].__setitem__(0, -1), "no square of counts"),
        (lambda f: f["confusion"][-1].__setitem__(0, 1), "not those of the accuracy"),
        (lambda f: f.update(accuracy=1 - f["accuracy"]), "not those of the accuracy"),
        (lambda f: f["look"]["links"]["packets"].append(1.0), "its columns differ in length"),
        (lambda f: f["look"]["steps"]["seconds"].append(1.0), "its columns differ in length"),
    ],
)
def test_sums_that_do_not_add_up_are_refused(figures, change, message):
    change(figures)
    with pytest.raises(ValidationError, match=message):
        ReportFile.model_validate(figures)
