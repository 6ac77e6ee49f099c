"""What goes wrong is drawn from seed, sample, step and sender, and from nothing else."""

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed
from nmcompile_backends.loihi import BACKEND

from nmcompile.errors import NmcError
from nmcompile.simulator import Modes, Perturbation, noisy, parse_perturbation, simulate
from nmcompile.simulator.perturb import Disturbance

EVERYTHING = ("*",)
MASK = 2**64 - 1


def perturbed(made, sent, **asked):
    return simulate(made, sent, record=EVERYTHING, modes=Modes(perturb=Perturbation(**asked)))


@pytest.fixture(scope="module")
def made():
    return program(relayed(1), cut=2)


@pytest.fixture(scope="module")
def sent(made):
    return payloads(made.network, 40, np.random.default_rng(0), samples=7)


def test_a_list_of_what_goes_wrong_is_read():
    assert parse_perturbation("weights=0.05, drop=0.01,add=0.001,stuck-cores=3", 7) == Perturbation(
        weights=0.05, drop=0.01, add=0.001, stuck_cores=3, seed=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drops=0.1", "--perturb: 'drops' is not known. Did you mean 'drop'? Known: add, drop, "
         "stuck-cores, weights."),
        ("drop=2", "--perturb: drop is '2', expected a share from 0 to 1."),
        ("weights=0.1,drop=0,weights=0.5", "--perturb: weights is given twice."),
        ("stuck-cores=1,stuck-cores=1", "--perturb: stuck-cores is given twice."),
        ("drop", "--perturb: drop is '', expected a share from 0 to 1."),
        ("weights=nan", "--perturb: weights is 'nan', expected a share from 0 to 1."),
        ("stuck-cores=1.5",
         "--perturb: stuck-cores is '1.5', expected a whole number from 0 to 1,000,000."),
        (",", "--perturb: names nothing that goes wrong. Give for example "
         "weights=0.05,drop=0.01,stuck-cores=1."),
    ],
)
def test_what_is_no_such_list_is_refused(text, message):
    with pytest.raises(NmcError) as error:
        parse_perturbation(text, 0)
    assert str(error.value) == message


def mixed(word):
    """SplitMix64's finaliser in Python's integers."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & MASK
    return word ^ (word >> 31)


def test_spikes_are_lost_and_added_by_a_hash_of_where_and_when_they_are(made):
    asked = Perturbation(drop=0.3, add=0.2, seed=5)
    net, rng, step, first_sample = made.network, np.random.default_rng(3), 9, 200
    before = {node.name: rng.integers(-1, 2, (2, 3, node.size), np.int32) for node in net.nodes}
    found = {name: values.copy() for name, values in before.items()}
    disturbance = Disturbance(made, asked)
    for name, payload in found.items():
        disturbance.apply(name, step, first_sample, 40, payload)
    seed = int(np.random.default_rng([5, 3]).integers(2**64, dtype=np.uint64))
    first = 0
    for node in net.nodes:
        for (i, row, sender), value in np.ndenumerate(before[node.name]):
            own = step + i - net.lags[node.name]
            word = mixed(mixed(mixed(seed) + first_sample + row & MASK) + own & MASK)
            drawn = mixed(word + (first + sender + 1) * 0x9E3779B97F4A7C15 & MASK) >> 11
            wanted = (0 if drawn < 0.3 * 2**53 else value) if value else int(drawn < 0.2 * 2**53)
            assert found[node.name][i, row, sender] == wanted
        first += node.size


def test_a_run_is_the_same_in_other_batches_and_leaves_its_inputs_alone(made, sent, monkeypatch):
    before = {name: values.copy() for name, values in sent.items()}
    whole = perturbed(made, sent, drop=0.1, add=0.01, stuck_cores=1, seed=2)
    monkeypatch.setattr("nmcompile.simulator.run.BATCH", 3)
    parts = perturbed(made, sent, drop=0.1, add=0.01, stuck_cores=1, seed=2)
    np.testing.assert_array_equal(before["in"], sent["in"])
    np.testing.assert_array_equal(whole.counts.events, parts.counts.events)
    for name, variables in whole.records.items():
        for variable, values in variables.items():
            np.testing.assert_array_equal(values, parts.records[name][variable])
    other = perturbed(made, sent, drop=0.1, add=0.01, stuck_cores=1, seed=3)
    assert (other.counts.events != whole.counts.events).any()


def test_nothing_going_wrong_is_a_plain_run(made, sent):
    plain = simulate(made, sent, record=EVERYTHING)
    same = perturbed(made, sent)
    for name, variables in plain.records.items():
        for variable, values in variables.items():
            np.testing.assert_array_equal(values, same.records[name][variable])


def test_all_spikes_lost_leave_silence_and_shares_are_as_asked(made, sent):
    assert perturbed(made, sent, drop=1.0).counts.spikes.sum() == 0
    entering = sent["in"].sum()
    left = perturbed(made, sent, drop=0.25).counts.spikes[-1]
    assert left == pytest.approx(0.75 * entering, abs=5 * np.sqrt(0.1875 * entering))
    silent = {"in": np.zeros_like(sent["in"])}
    added = perturbed(made, silent, add=0.02).counts.spikes[-1]
    chances = sent["in"].size
    assert added == pytest.approx(0.02 * chances, abs=5 * np.sqrt(0.0196 * chances))


def test_neurons_on_stuck_cores_never_send(made, sent):
    run = perturbed(made, sent, stuck_cores=2, seed=1)
    core = made.mapping.slices.core
    assert len(run.stuck) == 2
    stuck = np.isin(core, run.stuck)
    assert run.counts.spikes[:-1][stuck].sum() == 0
    assert run.counts.packets_out[:-1][stuck].sum() == 0
    assert run.counts.spikes[:-1][~stuck].sum() > 0
    with pytest.raises(NmcError, match=r"stuck-cores is 1,000, the network is on \d+ cores"):
        perturbed(made, sent, stuck_cores=1000)


def test_noise_moves_weights_on_the_chips_own_grid_and_keeps_what_is_not_there(made):
    asked = Perturbation(weights=0.1, seed=4)
    moved = noisy(made, asked, BACKEND.weight_levels)
    for old, new in zip(made.network.projections, moved.network.projections, strict=True):
        low, high, step = BACKEND.weight_levels(old.format)
        before, after = old.map.weights(), new.map.weights()
        assert after.dtype == before.dtype
        assert (after[before == 0] == 0).all()
        assert (after % step == 0).all()
        assert low <= after.min() <= after.max() <= high
        inside = (np.abs(before) < 0.6 * np.abs(before).max()) & (before != 0)
        spread = (after - before)[inside].std() / np.abs(before).max()
        assert spread == pytest.approx(0.1, rel=0.5)
    again = noisy(made, asked, BACKEND.weight_levels)
    for one, two in zip(moved.network.projections, again.network.projections, strict=True):
        np.testing.assert_array_equal(one.map.weights(), two.map.weights())


def test_noise_does_not_wrap_where_the_chip_has_more_levels_than_the_stored_type(made):
    moved = noisy(made, Perturbation(weights=200.0, seed=4), lambda held: (-40000, 40000, 4))
    for old, new in zip(made.network.projections, moved.network.projections, strict=True):
        before, after = old.map.weights(), new.map.weights()
        assert before.dtype in (np.int8, np.int16)
        assert after.max() > np.iinfo(np.int16).max
        rng = np.random.default_rng([4, 1, made.network.projections.index(old)])
        drawn = before + 200.0 * np.abs(before).max() * rng.standard_normal(len(before))
        expected = np.clip(np.rint(drawn / 4) * 4, -40000, 40000)
        np.testing.assert_array_equal(after, np.where(before == 0, 0, expected))
