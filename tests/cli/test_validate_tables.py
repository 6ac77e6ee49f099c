"""What `nmc validate` prints of figures."""

import pytest

from nmcompile.cli._validate_tables import print_validation

FIRST = {
    "sample": 0, "step": 1, "population": "a", "neuron": 2, "variable": "spikes",
    "spikes": {"reference": 1, "device": 0}, "states": {}, "states_before": {},
    "incoming": [{"projection": "in -> a", "source": 1, "payload": 1, "weight": 7,
                  "assumed": False}],
    "incoming_left_out": 0, "incoming_unknown": [], "differing": 70, "samples": 32,
    "explanations": [], "explanations_left_out": 0, "beside": [], "shifts": None}
FIGURES = {
    "device": "sim", "address": "", "lost": [], "against": "sim", "target": "loihi2", "samples": 40, "steps": 5,
    "decisions": {"accuracy_reference": None, "accuracy_device": None, "equal": 1.0},
    "latency_s": None, "energy_j": None, "boundary": None, "not_readable": [], "not_compared": [],
    "limits": [], "divergence": None, "populations": []}
ROW = {"name": "a", "states": {"v": {"differing": 3, "values": 9, "largest": 2}}, **dict.fromkeys(
    ("spikes_reference", "spikes_device", "differing", "share", "count", "van_rossum",
     "victor_purpura"))}


def printed(capsys, *, against="sim", **first):
    print_validation({**FIGURES, "against": against, "divergence": {**FIRST, **first}})
    return capsys.readouterr().out


def explanation(left):
    return {"rule": "lost spike", "text": "neuron 2 lost one", "differing": left, "alike": 1}


@pytest.mark.parametrize(("name", "address", "said"), [
    ("sim", "", "device    sim, against sim"),
    ("file", "monday.npz", "device    file:monday.npz, against sim"),
    ("xylosim at lab:7140", "lab:7140", "device    xylosim at lab:7140, against sim"),
])
def test_what_ran_and_where_is_said(capsys, name, address, said):
    print_validation({**FIGURES, "device": name, "address": address})
    assert said in capsys.readouterr().out


def test_a_device_that_was_lost_is_part_of_the_result(capsys):
    print_validation({**FIGURES, "lost": ["from sample 64 on: device lava: was ended"]})
    assert ("lost      the device, from sample 64 on: device lava: was ended; it was opened again"
            in capsys.readouterr().out)


def test_data_without_labels_have_decisions_and_no_accuracy(capsys):
    print_validation(FIGURES)
    assert "decisions 100.00 % are equal\n" in capsys.readouterr().out


def test_a_device_that_tells_states_alone_has_no_numbers_of_spikes(capsys):
    print_validation({**FIGURES, "populations": [ROW]})
    assert capsys.readouterr().out.splitlines()[-2].split() == ["a", "3", "(up", "to", "2)"]


@pytest.mark.parametrize(("left", "said"), [
    (0, "rule      lost spike: neuron 2 lost one: explains all 70 values of the population that "
        "differ in the 32 samples looked into\n"),
    (20, "rule      lost spike: neuron 2 lost one: explains 50 of the 70 values of"),
    (65, "rule      none of those tried explains it; the nearest is lost spike: neuron 2 lost one: "
         "explains 5 of the 70 values of"),
])
def test_a_rule_that_explains_little_is_no_diagnosis(capsys, left, said):
    assert said in printed(capsys, explanations=[explanation(left)])


@pytest.mark.parametrize(("first", "said"), [
    ({"against": "float"}, "rule      none is sought against the float network"),
    ({"differing": 0}, "rule      none: the population did what was compiled for what was sent"),
    ({"shifts": {"a": 1, "b": 2}}, "later than the network's own time, in steps: a by 1, b by 2."),
])
def test_why_there_is_no_rule_is_said(capsys, first, said):
    assert said in printed(capsys, **first)


def test_weights_beside_the_float_network_are_said_to_be_the_chips(capsys):
    assert "weight (of the chip)" in printed(capsys, against="float")
    assert "(of the chip)" not in printed(capsys)
