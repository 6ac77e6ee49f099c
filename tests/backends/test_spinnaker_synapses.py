"""SpiNNaker 1's ring buffers and weights: delays, saturation, shifts and magnitudes."""

import numpy as np
import pytest
from nmcompile_backends.spinnaker.ring import Synapses, deliver, empty_ring, slots, staged, take
from nmcompile_backends.spinnaker.weights import (
    Incoming,
    incoming,
    quantise,
    ring_buffer_shift,
    weight_scale,
)

from nmcompile.errors import NmcError


def synapses(rows, n_sources=1):
    """Rows of (source, kind, target, delay, weight)."""
    columns = np.array(sorted(rows)).reshape(-1, 5).T
    counts = np.bincount(columns[0], minlength=n_sources)
    return Synapses(
        start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        kind=columns[1].astype(np.uint8), target=columns[2].astype(np.int32),
        delay=columns[3].astype(np.uint16), weight=columns[4].astype(np.uint16))


def alike(weight, fan_in, delay_variance=0.0):
    return Incoming(weight_mean=weight, weight_variance=0.0, weight_max=weight,
                    delay_variance=delay_variance, fan_in=fan_in)


def test_a_delay_of_d_arrives_d_steps_later_and_the_longest_reuses_the_slot_just_emptied():
    ring = empty_ring(16, 2)
    rows = synapses([(0, 0, 1, 1, 5), (0, 1, 0, 16, 7)])
    take(ring, 3)
    deliver(ring, 3, np.array([0]), rows)
    arriving = {step: take(ring, step) for step in range(4, 21)}
    assert arriving[4].tolist() == [[0, 5], [0, 0]]
    assert arriving[19].tolist() == [[0, 0], [7, 0]]
    assert sum(int(a.sum()) for a in arriving.values()) == 12


def test_an_entry_stays_at_0xffff_and_each_saturation_is_counted():
    ring = empty_ring(2, 1)
    rows = synapses([(0, 0, 0, 1, 60000), (0, 0, 0, 1, 60001), (0, 0, 0, 1, 60002), (0, 1, 0, 1, 9)])
    assert deliver(ring, 0, np.array([0]), rows) == 2
    assert take(ring, 1).tolist() == [[0xFFFF], [9]]


def test_long_delays_are_split_into_stages_of_the_ring_buffers_length():
    stage, rest = staged(np.array([1, 16, 17, 32, 33, 144]), 16)
    assert stage.tolist() == [0, 0, 1, 1, 2, 8]
    assert rest.tolist() == [1, 16, 1, 16, 1, 16]


@pytest.mark.parametrize(("neurons", "longest", "expected"),
                         [(256, 16, 16), (256, 17, 32), (256, 500, 32), (1024, 500, 8),
                          (100, 1, 2), (64, 500, 128), (1, 1, 2)])
def test_a_ring_buffer_has_the_slots_that_14_bits_leave_beside_neurons_and_types(
    neurons, longest, expected
):
    assert slots(neurons, longest) == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 0, 0, 17, 1), "s: delays span 17 to 17, the ring buffer takes 1 to 16."),
        ((0, 0, 0, 0, 1), "s: delays span 0 to 0, the ring buffer takes 1 to 16."),
        ((0, 2, 0, 1, 1), "s: synapse types span 2 to 2, the ring buffer takes 0 to 1."),
        ((0, 0, 3, 1, 1), "s: targets span 3 to 3, the ring buffer takes 0 to 2."),
    ],
)
def test_a_synapse_without_a_place_in_the_ring_buffer_is_refused(row, message):
    with pytest.raises(NmcError) as error:
        synapses([row]).verify("s", empty_ring(16, 3))
    assert str(error.value) == message


def test_the_shift_is_the_power_of_two_above_the_largest_sum():
    assert ring_buffer_shift([]) == 0
    assert ring_buffer_shift([alike(0.3, 3)]) == 0
    assert ring_buffer_shift([alike(0.25, 4)]) == 1  # a sum of 1 needs more than 2**0
    assert ring_buffer_shift([alike(0.3, 4), alike(2.0, 4)]) == 4
    assert ring_buffer_shift([alike(0.01, 1)], conductance=True) == 4


def test_unequal_delays_expect_a_poisson_sum_instead_of_the_largest():
    # 100 synapses at 30 Hz: 3 spikes a step, 3 + 5 * sqrt(3) = 11.7 of 100.
    assert ring_buffer_shift([alike(1.0, 100)]) == 7
    assert ring_buffer_shift([alike(1.0, 100, delay_variance=2.0)]) == 4
    assert ring_buffer_shift([alike(1.0, 100, delay_variance=2.0)], sigma=50.0) == 7
    assert ring_buffer_shift([alike(1.0, 100, delay_variance=2.0)], dt_ms=0.1) == 2


def test_listed_synapses_are_counted_by_their_magnitudes():
    found = incoming(np.array([-1.0, -3.0, -2.0]), np.array([0, 1, 1]), np.array([1.0, 1.0, 4.0]))
    assert found == Incoming(weight_mean=2.0, weight_variance=pytest.approx(2 / 3), weight_max=3.0,
                             delay_variance=2.0, fan_in=2)


def test_a_weight_shifted_back_is_the_weight_in_accums():
    assert weight_scale(3) == 4096
    assert weight_scale(0, conductance=True) == 1024 * 2**15
    magnitudes = quantise("w", np.array([0.5, -1.25, 1 / 8192]), 3)
    assert magnitudes.tolist() == [2048, 5120, 0]  # one half goes to even
    assert magnitudes.dtype == np.uint16
    assert (magnitudes.astype(int) << 3).tolist()[:2] == [0.5 * 2**15, 1.25 * 2**15]


def test_a_weight_beyond_16_bits_is_refused():
    with pytest.raises(NmcError) as error:
        quantise("in -> n", np.array([16.0]), 3)
    assert str(error.value) == ("in -> n: a weight becomes 65536 at shift 3, a synaptic word holds "
                                "65535. Use a larger shift.")
