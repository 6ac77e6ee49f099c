"""User data takes the form of the network's input: axes, steps, encodings, refusals."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.coding import ENCODINGS, Coding
from nmcompile.encode import changes, encoded
from nmcompile.errors import NmcError

NETWORK = conv_network()
OF_VALUES = ("direct", "rate", "latency")
SHAPE = (2, 8, 7)
LISTED = "2, 8, 7"


def encode(x, network, **wishes):
    """All that the inputs send, at once."""
    return {name: sent[:] for name, sent in encoded(x, network, **wishes).items()}


def values(samples=3, seed=0):
    return np.random.default_rng(seed).random((samples, *SHAPE)).astype(np.float32)


def series(samples=3, steps=5, seed=0):
    return values(samples * steps, seed).reshape(samples, steps, *SHAPE)


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
@given(kind=st.sampled_from("? u1 i1 u2 i8 f2 f4 f8".split()), how=st.sampled_from(OF_VALUES),
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
    (np.ones((3, 4, *SHAPE)), {"encoding": "latency"},
     "f.npz: 'latency' encodes values (samples, ...), the data already has 4 steps. "
     "Leave out --encode."),
    (np.array([["a", "b"]]), {}, "f.npz: holds <U1, expected numbers."),
])
def test_data_that_does_not_fit_is_refused(x, options, message):
    with pytest.raises(NmcError) as error:
        encode(x, NETWORK, where="f.npz", **options)
    assert str(error.value) == message


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 7), max_size=3), how=st.sampled_from(ENCODINGS),
       off=st.sampled_from(["drop", "negative"]), steps=st.sampled_from([3, 5, 8]))
def test_samples_are_sent_alike_however_they_are_asked_for(cuts, how, off, steps):
    x = values(samples=7)
    if how not in OF_VALUES:
        x, how = series(7), Coding(how=how, threshold=0.3, off=off)
    sent = encoded(x, NETWORK, steps=steps, encoding=how, seed=1)["input"]
    whole = encode(x, NETWORK, steps=steps, encoding=how, seed=1)["input"]
    ends = [0, *sorted(cuts), 7]
    parts = [sent[a:b] for a, b in pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert sent.shape == whole.shape
    assert sent.binary == bool(np.isin(whole, (0, 1)).all())
    assert sent.peak == np.abs(whole).max()
    assert sent.lowest <= whole.min()


def by_snntorch(x, **options):
    """snntorch.spikegen.delta, whose first axis is time."""
    import torch
    from snntorch import spikegen

    return spikegen.delta(torch.tensor(x).transpose(0, 1), **options).transpose(0, 1).numpy()


def test_delta_is_snntorchs():
    x = series()
    for off, off_spike in (("drop", False), ("negative", True)):
        coding = Coding(how="delta", threshold=0.25, off=off)
        np.testing.assert_array_equal(encode(x, NETWORK, encoding=coding)["input"],
                                      by_snntorch(x, threshold=0.25, off_spike=off_spike))


def test_off_and_on_are_channels_of_a_network_that_takes_pairs():
    x = series()[:, :, 0]  # (samples, steps, 8, 7); the network takes 2 x 8 x 7
    signs = by_snntorch(x, threshold=0.1, off_spike=True)
    sent = encode(x, NETWORK, encoding="delta")["input"]
    np.testing.assert_array_equal(sent, np.stack([signs < 0, signs > 0], 2))
    assert encoded(x, NETWORK, encoding="delta")["input"].binary


def test_pairs_of_a_flat_network_are_all_offs_and_then_all_ons():
    network = replace(NETWORK, inputs=(replace(NETWORK.inputs[0], shape=(112,)),))
    x = np.random.default_rng(0).random((3, 5, 56)).astype(np.float32)
    signs = by_snntorch(x, threshold=0.1, off_spike=True)
    np.testing.assert_array_equal(encode(x, network, encoding="delta")["input"],
                                  np.concatenate([signs < 0, signs > 0], 2))


def test_send_on_delta_is_speech2spikes():
    """Vectors of speech2spikes 1.0.1, tensor_to_events; tools/oracles/speech2spikes_vectors.py."""
    with np.load(Path(__file__).parents[1] / "goldens" / "encode" / "speech2spikes.npz") as known:
        for threshold, events in zip(known["thresholds"], known["events"], strict=True):
            coding = Coding(how="send-on-delta", threshold=float(threshold), off="negative")
            np.testing.assert_array_equal(changes(known["x"], coding), events)
            assert set(np.unique(events)) == {-1, 0, 1}


def test_a_constant_is_told_once_and_a_ramp_step_by_step():
    x = np.zeros((1, 6, *SHAPE))
    x[0, :, 0, 0, 0] = (1, 1, 1, 1, 1, 1)
    x[0, :, 0, 0, 1] = np.arange(6) / 4
    sent = encode(x, NETWORK, encoding=Coding(how="delta", threshold=0.25, off="drop"))["input"]
    assert sent[0, :, 0, 0, :2].T.tolist() == [[1, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]]


def test_the_silence_behind_a_series_is_no_change():
    x = np.ones((1, 3, *SHAPE))
    sent = encode(x, NETWORK, steps=5, encoding=Coding(how="delta", off="negative"))["input"]
    assert not sent[:, 1:].any()


def test_latency_is_snntorchs_linear_one_without_what_is_below_the_threshold():
    import torch
    from snntorch import spikegen

    x = values()
    for threshold in (0.01, 0.2):
        wanted = spikegen.latency(torch.tensor(x), num_steps=20, threshold=threshold, linear=True,
                                  normalize=True, clip=True)
        sent = encode(x, NETWORK, steps=20, encoding=Coding(how="latency", threshold=threshold))
        np.testing.assert_array_equal(sent["input"], wanted.transpose(0, 1).numpy())


def test_a_rate_is_snntorchs_but_for_the_draws():
    import torch
    from snntorch import spikegen

    x = values(2)
    torch.manual_seed(0)
    wanted = spikegen.rate(torch.tensor(x), num_steps=4000, gain=0.5).mean(0).numpy()
    sent = encode(x, NETWORK, steps=4000, encoding=Coding(how="rate", gain=0.5))["input"]
    np.testing.assert_allclose(sent.mean(1), wanted, atol=0.06)
    np.testing.assert_allclose(sent.mean(1), x / 2, atol=0.04)


def test_a_series_is_sent_at_the_rate_of_each_step():
    x = np.repeat(series(1, 3), 2000, axis=0)
    sent = encode(x, NETWORK, encoding="rate")["input"]
    assert set(np.unique(sent)) == {0.0, 1.0}
    np.testing.assert_allclose(sent.mean(0), x[0], atol=0.06)


def test_a_gain_multiplies_values():
    np.testing.assert_array_equal(
        encode(values(), NETWORK, steps=1, encoding=Coding(gain=0.5))["input"][:, 0], values() / 2)
    np.testing.assert_array_equal(encode(series(), NETWORK, encoding=Coding(gain=4))["input"],
                                  4 * series())


@pytest.mark.parametrize(("options", "message"), [
    ({"how": "sparse"}, "--encode: is 'sparse'. Take one of direct, rate, latency, delta, send-on-delta."),
    ({"gain": 0}, "--gain: is 0, expected a number above 0."),
    ({"gain": float("nan")}, "--gain: is nan, expected a number above 0."),
    ({"how": "rate", "threshold": 0.5},
     "--threshold: is for --encode latency, delta and send-on-delta. Leave it out."),
    ({"how": "delta", "threshold": 0}, "--threshold: is 0, expected above 0."),
    ({"how": "latency", "threshold": 1.5}, "--threshold: is 1.5, expected from 0 to 1."),
    ({"how": "delta", "off": "twice"}, "--off: is 'twice'. Take one of channel, drop, negative."),
    ({"off": "drop"}, "--off: is for --encode delta and send-on-delta. Leave it out."),
])
def test_codings_that_mean_nothing_are_refused(options, message):
    with pytest.raises(NmcError) as error:
        Coding(**options)
    assert str(error.value) == message


def test_changes_of_what_does_not_change_are_refused():
    with pytest.raises(NmcError) as error:
        encode(values(), NETWORK, where="f.npz", encoding=Coding(how="delta", off="drop"))
    assert str(error.value) == (
        "f.npz: 'delta' encodes series (samples, steps, ...), the data has one value for each "
        "sample. Take --encode direct, rate or latency.")


def test_a_coding_tells_what_was_asked_for():
    assert Coding().told is None
    assert Coding(how="rate").told == "rate"
    assert Coding(how="delta", threshold=0.5, off="drop").told == "delta, threshold 0.5, off drop"
    assert Coding(gain=2.0).told == "direct, gain 2.0"
