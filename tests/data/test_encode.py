"""User data takes the form of the network's input: axes, steps, encodings, refusals."""

from itertools import pairwise

import numpy as np
import pytest
from helpers.networks import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.encode import ENCODINGS, encoded
from nmcompile.errors import NmcError

NETWORK = conv_network()
SHAPE = (2, 8, 7)
LISTED = "2, 8, 7"


def encode(x, network, **wishes):
    """All that the inputs send, at once."""
    return {name: sent[:] for name, sent in encoded(x, network, **wishes).items()}


def values(samples=3, seed=0):
    return np.random.default_rng(seed).random((samples, *SHAPE)).astype(np.float32)


def test_a_series_is_sent_as_it_is():
    series = np.repeat(values()[:, None], 4, axis=1)
    np.testing.assert_array_equal(encode(series, NETWORK)["input"], series)


def test_flattened_axes_are_unfolded():
    flat = values().reshape(3, -1)
    sent = encode(flat, NETWORK, steps=2)["input"]
    np.testing.assert_array_equal(sent[:, 1], values())


def test_fewer_steps_cut_a_series_and_more_steps_are_silent():
    series = np.ones((1, 4, *SHAPE))
    assert encode(series, NETWORK, steps=2)["input"].shape[1] == 2
    longer = encode(series, NETWORK, steps=6)["input"]
    assert longer[:, :4].all()
    assert not longer[:, 4:].any()


def test_a_rate_is_the_mean_of_its_spikes_and_repeats_with_its_seed():
    x = values(2)
    spikes = encode(x, NETWORK, steps=4000, encoding="rate", seed=3)["input"]
    assert set(np.unique(spikes)) == {0.0, 1.0}
    np.testing.assert_allclose(spikes.mean(axis=1), x, atol=0.05)
    again = encode(x, NETWORK, steps=4000, encoding="rate", seed=3)["input"]
    np.testing.assert_array_equal(spikes, again)


def test_latency_sends_one_spike_the_earlier_the_larger_and_none_for_zero():
    x = np.zeros((1, *SHAPE))
    x[0, 0, 0, :3] = (1.0, 0.5, 0.1)
    spikes = encode(x, NETWORK, steps=11, encoding="latency")["input"][0]
    assert spikes.sum() == 3
    assert [int(spikes[:, 0, 0, k].argmax()) for k in range(3)] == [0, 5, 9]


@settings(deadline=None)
@given(kind=st.sampled_from("? u1 i1 u2 i8 f2 f4 f8".split()), how=st.sampled_from(ENCODINGS),
       steps=st.sampled_from([1, 5, 300]), seed=st.integers(0, 9))
def test_what_is_sent_is_that_of_the_values_as_32_bit_floats(kind, how, steps, seed):
    x = values(2, seed).astype(np.float16)
    x = (x.round() if np.dtype(kind).kind in "?ui" else x).astype(kind)
    sent = encode(x, NETWORK, steps=steps, encoding=how, seed=seed)["input"]
    wanted = encode(x.astype(np.float32), NETWORK, steps=steps, encoding=how, seed=seed)["input"]
    np.testing.assert_array_equal(sent, wanted)
    if how == "latency":
        np.testing.assert_array_equal(sent.sum(axis=1), x > 0)


@pytest.mark.parametrize(("x", "options", "message"), [
    (np.ones((3, 5, 5)), {"steps": 2},
     f"f.npz: has shape (3, 5, 5), the model takes (samples, {LISTED}) or "
     f"(samples, steps, {LISTED})."),
    (np.ones((3, *SHAPE)), {},
     "f.npz: holds one value for each sample and the model does not say for how many steps. "
     "Add --steps N."),
    (np.full((3, *SHAPE), 2.0), {"steps": 2, "encoding": "rate"},
     "f.npz: values span 2 to 2; 'rate' takes 0 to 1. Scale the data, or add --binary for events."),
    (np.full((3, *SHAPE), np.nan), {"steps": 2}, "f.npz: holds NaN, infinite values or values beyond 32-bit floats."),
    (np.ones((3, 4, *SHAPE)), {"encoding": "rate"},
     "f.npz: 'rate' encodes values (samples, ...), the data already has 4 steps. "
     "Leave out --encode."),
    (np.array([["a", "b"]]), {}, "f.npz: holds <U1, expected numbers."),
])
def test_data_that_does_not_fit_is_refused(x, options, message):
    with pytest.raises(NmcError) as error:
        encode(x, NETWORK, where="f.npz", **options)
    assert str(error.value) == message


@given(cuts=st.lists(st.integers(0, 7), max_size=3), how=st.sampled_from(ENCODINGS))
def test_samples_are_sent_alike_however_they_are_asked_for(cuts, how):
    x = values(samples=7)
    sent = encoded(x, NETWORK, steps=5, encoding=how, seed=1)["input"]
    whole = encode(x, NETWORK, steps=5, encoding=how, seed=1)["input"]
    ends = [0, *sorted(cuts), 7]
    parts = [sent[a:b] for a, b in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert sent.shape == whole.shape
    assert sent.binary == bool(np.isin(whole, (0, 1)).all())
    assert sent.peak == whole.max()
