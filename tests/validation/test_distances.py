"""Spike distances: elephant's values, the plain definitions, and what metrics must hold."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmcompile.validation.distances import distances

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "elephant_distances.json").read_text())
STEPS = 60
trains = st.lists(st.integers(0, 3), min_size=12, max_size=12)


def train(times, steps=STEPS):
    spikes = np.zeros((1, steps, 1), np.int32)
    np.add.at(spikes, (0, times, 0), 1)
    return spikes


def one(values):
    """The distance of a single pair of trains, 0 where they are equal."""
    return float(values[0]) if len(values) else 0.0


def far(first, second, tau=10.0, cost=0.1, graded=False):
    return distances(first, second, tau=tau, cost=cost, graded=graded)


def plain_van_rossum(first, second, tau):
    """The integral of the paper, as a fine sum."""
    fine = 400
    t = np.arange(0, (len(first) + 12 * tau) * fine) / fine
    apart = sum(float(b - a) * np.where(t >= i, np.exp(-(t - i) / tau), 0)
                for i, (a, b) in enumerate(zip(first, second, strict=True)))
    return np.sqrt(np.sum(apart**2) / fine / tau)


def plain_victor_purpura(first, second, cost):
    """The recursion of the paper, over whole trains."""
    a, b = (np.repeat(np.arange(len(x)), x) for x in (first, second))
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, s in enumerate(a, 1):
        for j, t in enumerate(b, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1,
                              table[i - 1, j - 1] + cost * abs(int(s) - int(t)))
    return table[-1, -1]


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_distances_are_elephants_whose_van_rossum_counts_a_single_spike_as_one(case):
    found = far(train(case["first"]), train(case["second"]), case["tau"], case["cost"])
    assert one(found.van_rossum) * np.sqrt(2) == pytest.approx(case["van_rossum"], abs=1e-9)
    assert one(found.victor_purpura) == pytest.approx(case["victor_purpura"], abs=1e-9)


def test_a_spike_too_many_is_half_a_unit_of_van_rossums_square_as_in_his_paper():
    assert one(far(train([]), train([7])).van_rossum) ** 2 == pytest.approx(0.5)


@given(trains, trains, st.sampled_from([1.0, 3.0, 8.0]))
def test_van_rossums_distance_is_the_integral_of_the_filtered_difference(first, second, tau):
    found = far(np.array(first)[None, :, None], np.array(second)[None, :, None], tau)
    assert one(found.van_rossum) == pytest.approx(plain_van_rossum(first, second, tau), rel=0.01)


@given(trains, trains, st.sampled_from([0.0, 0.1, 0.7, 2.5]))
def test_victor_and_purpuras_distance_is_their_recursion_over_whole_trains(first, second, cost):
    found = far(np.array(first)[None, :, None], np.array(second)[None, :, None], cost=cost)
    assert one(found.victor_purpura) == pytest.approx(plain_victor_purpura(first, second, cost))


@given(st.integers(0, 2**32 - 1))
def test_many_trains_at_once_are_those_trains_one_by_one(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.poisson(0.2, (2, 3, 20, 4)).astype(np.int32)
    found = far(first, second)
    each = [far(first[i : i + 1, :, j : j + 1], second[i : i + 1, :, j : j + 1])
            for i in range(3) for j in range(4)]
    assert found.trains == 12
    for name in ("count", "van_rossum", "victor_purpura"):
        alone = [one(getattr(e, name)) for e in each if len(e.count)]
        np.testing.assert_allclose(getattr(found, name), alone)


@given(trains, trains)
def test_distances_are_symmetric_and_nothing_for_equal_trains(first, second):
    a, b = np.array(first)[None, :, None], np.array(second)[None, :, None]
    there, back = far(a, b), far(b, a)
    for name in ("count", "van_rossum", "victor_purpura"):
        assert one(getattr(there, name)) == pytest.approx(one(getattr(back, name)))
        assert one(getattr(far(a, a), name)) == 0


def test_the_count_is_what_one_train_has_more_than_the_other():
    assert one(far(train([1, 1, 5]), train([2])).count) == 2


def test_graded_payloads_weigh_in_the_filter_and_are_one_spike_to_move():
    first, second = np.zeros((2, 1, 10, 1), np.int32)
    first[0, 3, 0], second[0, 3, 0] = 7, -40
    found = far(first, second, graded=True)
    assert one(found.van_rossum) == pytest.approx(47 / np.sqrt(2))
    assert one(found.victor_purpura) == 0
