"""A device with one fault is found out: where it first differs, and by which rule.

The broken devices run the simulator's kernels on programs that were tampered with
(`helpers.broken_devices`); the explanations run readable neurons from what was recorded, and share
nothing with them.
"""

from collections import Counter
from functools import cache
from itertools import product

import numpy as np
import pytest
from helpers import broken_devices as broken
from helpers.compiled_networks import KINDS, compiled

from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.validation.divergence import diverged, first_difference, populations_of
from nmcompile.validation.evidence import Evidence
from nmcompile.validation.references import flat

DECAYS = ("du", "dv", "dash_syn", "dash_mem", "decay")
THRESHOLDS = ("threshold", "inclusive")
CASES = 104
FAULTS = ("weight", "unsent spike", "lost spike", "decay", "threshold", "delay", "swapped neurons")


@cache
def clean(kind):
    program, sent = compiled(kind)
    return flat(simulate(program, sent, record=("*",)).records)


def made(what, kind, rng):
    """A fault of this kind somewhere in this network."""
    program, sent = compiled(kind)
    makers = {
        "weight": lambda: broken.one_weight(
            program, rng, backend(program.target.family).weight_levels),
        "unsent spike": lambda: broken.unsent_spike(program, rng, clean(kind)),
        "lost spike": lambda: broken.lost_spike(program, rng, clean(kind), sent),
        "decay": lambda: broken.register_off_by_one(program, rng, "decay", DECAYS),
        "threshold": lambda: broken.register_off_by_one(program, rng, "threshold", THRESHOLDS),
        "delay": lambda: broken.delay_off_by_one(program, rng),
        "swapped neurons": lambda: broken.swapped_neurons(program, rng),
    }
    return makers[what]()


def examined(fault, kind, states):
    """The first difference of a broken device with its explanations; None where none shows."""
    program, sent = compiled(kind)
    device = broken.BrokenDevice(fault, states)
    device.load(program, None)
    seen = flat(device.run(sent, device.readable(), lambda steps: None).variables)
    place = first_difference(populations_of(program.network), clean(kind), seen)
    assert (None if place is None else (
        place.sample, place.step, place.population, place.neuron)) == earliest(kind, seen)
    if place is None:
        return None
    told = {name: values.reshape(*values.shape[:2], -1) for name, values in sent.items()}
    told |= {name: record["spikes"] for name, record in seen.items()}
    evidence = Evidence(program=program, sent=told, assumed=frozenset(), seen=seen)
    return diverged(evidence, place, clean(kind), 0)


def earliest(kind, seen):
    """Sample, step, population and neuron of the first value that differs, looked for in order."""
    program, _ = compiled(kind)
    good, order = clean(kind), populations_of(program.network)
    samples, steps, _ = good[order[0]]["spikes"].shape
    for sample, step, name in product(range(samples), range(steps), order):
        apart = [n for variable, values in seen[name].items() for n in np.flatnonzero(
            values[sample, step] != good[name][variable][sample, step])]
        if apart:
            return sample, step, name, min(apart)
    return None


def is_right(fault, found, states):
    """Whether the place and the first explanation are those of the fault.

    By spikes alone many weights, and many spikes, explain the same: that it is one of them, of the
    right projection, is all that can be told. Where a register was changed, what explains as much
    may be another one (a threshold one more is `>` for `>=`); the changed one is among them.
    """
    if found.place.population != fault.place["population"] or not found.explanations:
        return False
    best = found.explanations[0]
    pair = fault.place.get("pair")
    if pair is not None and {best.place.get("neuron"), best.place.get("other")} != pair:
        return False
    untold = {"pair", "population", *(() if states else ("weight", "source", "found"))}
    named = {k: v for k, v in fault.place.items() if k not in untold}
    alike = [e for e in found.explanations if e.rule == best.rule and e.place.get("register")]
    return best.rule == fault.rule and any(
        all(e.place.get(k) == v for k, v in named.items()) for e in alike or [best])


def tally(cases, states):
    """How many of so many faults that show are found out, and what was said of the others."""
    right, wrong, seed, of = 0, [], 0, Counter()
    while right + len(wrong) < cases:
        rng, kind = np.random.default_rng(seed), KINDS[seed % len(KINDS)]
        fault = made(FAULTS[seed // len(KINDS) % len(FAULTS)], kind, rng)
        seed += 1
        found = examined(fault, kind, states)
        if found is None:
            continue
        of[fault.rule, kind] += 1
        if is_right(fault, found, states):
            right += 1
        else:
            wrong.append((seed - 1, kind, fault.rule, fault.place, found.place,
                          found.explanations[:2]))
    return right, wrong, of


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_weight_that_was_compiled_as_0_is_told_with_its_sign_where_signs_are_split(sign):
    kind = "digits on spinnaker1"
    program, _ = compiled(kind)
    number = len(program.network.projections) - 1
    projection = program.network.projections[number]
    assert projection.split
    weights = projection.map.weights().astype(np.int32)
    sent = clean(kind)[projection.source]["spikes"].sum(axis=(0, 1))
    zeros = np.flatnonzero(weights == 0)
    which = int(zeros[np.argmax(sent[zeros % len(sent)])])
    found = sign * int(np.abs(weights).max())
    weights[which] = found
    fault = broken.Fault(rule="weight", place={"population": projection.target,
                                               "projection": projection.name, "weight": which,
                                               "found": found},
                         program=broken.changed_projection(
                             program, number, map=projection.map.with_weights(weights)))
    told = examined(fault, kind, states=True)
    assert is_right(fault, told, states=True), told.explanations
    assert told.explanations[0].text.endswith(f"is {found}, not 0")


@pytest.mark.slow
def test_faults_are_located_and_named_in_95_of_100_cases_where_states_are_read():
    right, wrong, of = tally(CASES, states=True)
    assert len(of) >= 5 * len(KINDS)  # rules times kinds of networks
    assert right >= 0.95 * CASES, wrong


@pytest.mark.slow
def test_faults_are_located_and_named_by_spikes_alone_but_for_which_of_many_weights_it_is():
    right, wrong, _ = tally(CASES // 2, states=False)
    assert right >= 0.9 * (CASES // 2), wrong
