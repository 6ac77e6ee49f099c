"""What is known of a device's samples, and how much of it a changed rule explains."""

import numpy as np
import pytest
from helpers.compiled_networks import compiled
from hypothesis import given
from hypothesis import strategies as st

from nmcompile.ir import Projection
from nmcompile.ir.maps import Dense
from nmcompile.simulator import simulate
from nmcompile.validation import rules_of_synapses
from nmcompile.validation.alone import ALWAYS, Changes
from nmcompile.validation.divergence import Place, diverged, populations_of
from nmcompile.validation.evidence import Evidence, Link, links_of, unknown_sources
from nmcompile.validation.explanations import case_of
from nmcompile.validation.references import flat

KIND = "digits on loihi2"
WIRE = Projection(source="a", target="b", map=Dense(
    weight=np.ones((1, 1), np.int32), in_shape=(1,), out_shape=(1,)))


def evidence_of(seen, without=()):
    program, inputs = compiled(KIND)
    sent = {name: values.reshape(*values.shape[:2], -1) for name, values in inputs.items()}
    sent |= {name: record["spikes"] for name, record in seen.items()}
    return Evidence(program=program, sent={k: v for k, v in sent.items() if k not in without},
                    assumed=frozenset(), seen=seen)


def recorded():
    program, inputs = compiled(KIND)
    return flat(simulate(program, inputs, record=("*",)).records)


@given(st.integers(-9, 9), st.integers(1, 6))
def test_a_spike_arrives_its_delay_later_or_beyond_the_recording(delay, steps):
    sent = np.arange(1, 2 * steps + 1).reshape(2, steps, 1)
    link = Link(projection=WIRE, number=0, delay=delay, sent=sent)
    for step in range(steps):
        inside = 0 <= step - delay < steps
        np.testing.assert_array_equal(
            link.arrived[:, step], sent[:, step - delay] if inside else np.zeros((2, 1)))


def test_sources_that_nobody_knows_are_named_and_none_of_their_spikes_is_listed():
    seen = recorded()
    evidence = evidence_of(seen, without=("lif1",))
    population = evidence.network.population("lif2")
    assert links_of(evidence, population) == ()
    assert unknown_sources(evidence, population) == ("lif1",)
    place = Place(sample=0, step=3, population="lif2", neuron=1, variable="spikes")
    found = diverged(evidence, place, seen, 0, rules=False)
    assert (found.incoming, found.unknown, found.explanations) == ((), ("lif1",), ())


def test_what_a_delay_leaves_out_of_the_recording_is_not_explained_by_it():
    seen = {name: {k: v.copy() for k, v in record.items()} for name, record in recorded().items()}
    seen["lif2"]["spikes"][2, -1, 5] ^= 1
    case = case_of(evidence_of(seen), "lif2")
    assert case.place == (2, case.steps - 1, 5)
    for delay, left in ((0, 1), (-1, 1)):
        assert case.left(case.compiled, delay).sum() == left
    assert all(e.differing >= case.differing for e in rules_of_synapses.delays(case))


def test_no_projection_is_said_to_take_less_than_no_step():
    seen = {name: {k: v.copy() for k, v in record.items()} for name, record in recorded().items()}
    seen["lif3"]["spikes"][0, 4, 2] ^= 1
    found = list(rules_of_synapses.delays(case_of(evidence_of(seen), "lif3")))
    assert found
    assert min(e.place["delay"] for e in found) >= 0


@pytest.mark.parametrize("values", [255, 65_535])
def test_of_many_values_of_a_weight_few_are_kept_and_the_nearest_among_them(values):
    deltas = np.arange(values) - values // 2
    kept = deltas[rules_of_synapses._few(deltas)]
    most = rules_of_synapses.MOST_VALUES
    assert len(kept) == values if values <= most else len(kept) <= 2 * most
    assert set(range(-100, 101)) <= set(kept.tolist())
    assert {kept.min(), kept.max()} <= {deltas.min(), *deltas[-most:].tolist()}


def test_alternatives_that_a_reset_makes_equal_take_no_memory_by_the_million():
    program, _ = compiled("digits on spinnaker1")
    case = silent_neuron_that_spikes(program)
    synapses, values = 8, 65_535
    n = synapses * values
    number = np.repeat(np.arange(synapses), values)
    zero = np.zeros(n, np.int64)
    changes = Changes(link=zero, source=number, number=number, current=zero,
                      delta=np.tile(np.arange(values) - values // 2, synapses), sample=zero + ALWAYS,
                      step=zero + ALWAYS)
    kept = rules_of_synapses._narrowed(case, changes)
    assert 0 < len(kept) <= synapses * 2 * rules_of_synapses.MOST_VALUES
    assert set(kept.number.tolist()) == set(range(synapses))


def silent_neuron_that_spikes(program):
    _, inputs = compiled("digits on spinnaker1")
    seen = flat(simulate(program, inputs, record=("*",)).records)
    name = populations_of(program.network)[0]
    seen[name]["spikes"][0, 2, 0] ^= 1
    sent = {k: v.reshape(*v.shape[:2], -1) for k, v in inputs.items()}
    sent |= {k: record["spikes"] for k, record in seen.items()}
    return case_of(Evidence(program=program, sent=sent, assumed=frozenset(), seen=seen), name)
