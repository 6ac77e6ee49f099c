"""A report whose energies do not add up is none."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed
from nmcompile_backends.loihi import BACKEND
from pydantic import ValidationError

from nmcompile.mapping.capacity import demand
from nmcompile.report import ReportFile, compiled_figures, look_figures, run_figures
from nmcompile.report.figures import MOST_DECISIONS, confusion, decided
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


def test_a_report_says_what_decisions_are_made_by(figures):
    assert figures["decided_by"] == "the most spikes of out"


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


def _with_another_wrong_class(figures):
    """Sample 0 is labelled wrong, as another class than was counted, and still is as wrong."""
    told = figures["decisions"]
    told["label"][0] = next(k for k in range(1, 9) if k != told["decision"][0])
    right = sum(a == b for a, b in zip(told["label"], told["decision"], strict=True))
    assert right == figures["accuracy"] * len(told["label"])


def test_the_decision_of_each_sample_is_kept_beside_its_label():
    run = SimpleNamespace(scores={"out": np.array([[0, 3, 1], [2, 2, 0], [0, 0, 9]])})
    assert decided(run, np.array([1, 2, 2], np.uint8)) == {
        "decision": [1, 0, 2], "label": [1, 2, 2]}
    assert decided(run, None) is None
    many = np.zeros(MOST_DECISIONS + 1, int)
    assert decided(SimpleNamespace(scores={"out": many[:, None]}), many) is None


def test_a_report_of_an_earlier_version_has_no_decisions(figures):
    del figures["decisions"]
    assert ReportFile.model_validate(figures).decisions is None


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
        (lambda f: f["decisions"]["label"].pop(), "not one for each sample"),
        (lambda f: f.update(accuracy=None, confusion=None), "not one for each sample"),
        (lambda f: f.update(accuracy=1 - f["accuracy"], confusion=None),
         "the decisions are not those of the accuracy"),
        (_with_another_wrong_class, "not those counted by class"),
        (lambda f: f["look"]["links"]["packets"].append(1.0), "its columns differ in length"),
        (lambda f: f["look"]["steps"]["seconds"].append(1.0), "its columns differ in length"),
    ],
)
def test_sums_that_do_not_add_up_are_refused(figures, change, message):
    change(figures)
    with pytest.raises(ValidationError, match=message):
        ReportFile.model_validate(figures)
