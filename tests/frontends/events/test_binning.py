"""Events become steps, channels and pixels as the options say, however they come in pieces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import recordings as r
from helpers.networks import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.encode import encoded
from nmcompile.errors import NmcError
from nmcompile.frontends.events import binning
from nmcompile.frontends.events.binning import binned
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.reader import Recording


def frames(events, size=r.SIZE, pieces=3, **options):
    """Recordings of `events`, or of each of a list of them, in so many pieces."""
    each = events if isinstance(events, list) else [events]
    return binned(
        (Recording(where=f"r{i}", size=size, pieces=(p for p in np.array_split(e, pieces) if len(p)))
         for i, e in enumerate(each)), EventOptions(**options), "DATA")


def plain(events, options, size=r.SIZE):
    """What the docs say of the options, event by event."""
    left, top, width, height = options.crop or (0, 0, *size)
    n, channels = options.downsample, 2 if options.polarity == "both" else 1
    begin, lasted = int(events["t"][0]), int(events["t"][-1] - events["t"][0]) + 1
    window = options.window_us or lasted
    samples = -(-lasted // window)
    used = [(t - begin, x - left, y - top, p) for t, x, y, p in events.tolist()
            if left <= x < left + width and top <= y < top + height
            and options.polarity in ("both", "merge", ("off", "on")[p])]
    steps = options.bins or (max(1, -(-len(used) // options.bin_events)) if options.bin_events
                             else -(-window // options.bin_us))
    made = np.zeros((samples, steps, channels, -(-height // n), -(-width // n)), np.float32)
    for number, (t, x, y, p) in enumerate(used):
        inside = t % window
        step = (number // options.bin_events if options.bin_events
                else inside * options.bins // window if options.bins
                else inside // options.bin_us)
        made[t // window, step, p if channels == 2 else 0, y // n, x // n] += 1
    return np.minimum(made, 1) if options.binary else made


OPTIONS = st.fixed_dictionaries({
    "crop": st.sampled_from([None, (3, 5, 20, 11), (0, 0, 1, 1)]),
    "downsample": st.sampled_from([1, 2, 5]), "binary": st.booleans(),
    "polarity": st.sampled_from(["both", "merge", "on", "off"])})
STEPS = st.sampled_from([{"bin": "1ms"}, {"bin": "700us", "window": "7ms"}, {"bin": "30ev"},
                         {"bins": 20}, {"bins": 7, "window": "13ms"}, {"bin": "2s"}])


@settings(max_examples=60, deadline=None)
@given(options=OPTIONS, steps=STEPS, seed=st.integers(0, 5), pieces=st.sampled_from([1, 3, 400]))
def test_steps_are_those_of_a_plain_reading_event_by_event(options, steps, seed, pieces):
    events = r.some_events(seed=seed, size=(8, 8) if seed == 0 else r.SIZE)
    found = frames(events, pieces=pieces, **options, **steps)
    wanted = plain(events, EventOptions(**options, **steps))
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found[:], wanted)
    flat = frames(events, pieces=pieces, flatten=True, **options, **steps)
    np.testing.assert_array_equal(flat[:], wanted.reshape(*wanted.shape[:2], -1))
    for cut in (1, 5, wanted.shape[1]):
        assert found.peak(cut) == wanted[:, :cut].max()


def test_recordings_are_samples_and_short_ones_end_with_silence():
    long, short = r.some_events(), r.some_events(seed=1, lasting=9_000)
    found = frames([long, short], bin="1ms")
    steps = found.shape[1]
    np.testing.assert_array_equal(found[:1], r.dense(long, 1000, steps))
    np.testing.assert_array_equal(found[1:2], r.dense(short, 1000, steps))
    assert steps > 50
    assert not found[1:2][:, 10:].any()


def test_samples_and_steps_are_made_as_they_are_asked_for():
    found = frames([r.some_events(seed=i) for i in range(5)], bin="1ms")
    whole = found[:]
    np.testing.assert_array_equal(found[2:4], whole[2:4])
    np.testing.assert_array_equal(found.fitted(slice(1, 3), 7), whole[1:3, :7])
    longer = found.fitted(slice(0, 5), 80)
    steps = whole.shape[1]
    np.testing.assert_array_equal(longer[:, :steps], whole)
    assert steps < 80
    assert not longer[:, steps:].any()
    np.testing.assert_array_equal(found.of(np.array([3, 0]))[:], whole[[3, 0]])
    np.testing.assert_array_equal(found.reshape(5, steps, 1904)[:], whole.reshape(5, steps, -1))


def test_marks_that_go_to_a_file_are_those_of_memory(monkeypatch):
    events, wishes = r.some_events(), {"bin": "1ms", "window": "8ms"}
    wanted = frames(events, **wishes)
    monkeypatch.setattr(binning, "IN_MEMORY", 100)
    monkeypatch.setattr(binning, "PIECE", 7)
    found = frames(events, **wishes)
    np.testing.assert_array_equal(found[:], wanted[:])
    assert found.digest() == wanted.digest()
    assert found.peak(8) == wanted[:].max()


def test_a_full_disk_is_told(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", full)
    assert refusal(r.some_events(), bin="1ms").startswith(
        "the folder for temporary files: cannot be written: No space left on device. Set TMPDIR")


def test_the_digest_is_of_what_the_samples_hold():
    events = r.some_events()
    other = events.copy()
    other["x"][200] ^= 1
    digests = {frames(events, bin="1ms").digest(), frames(other, bin="1ms").digest(),
               frames(events, bin="1ms", binary=True).digest(),
               frames(events, bin="2ms").digest(), frames(events, bin="1ms").of(np.arange(1)).digest()}
    assert len(digests) == 4


def refusal(events, **options):
    with pytest.raises(NmcError) as error:
        frames(events, **options)[:]
    return str(error.value)


def test_events_and_times_that_cannot_be_are_refused():
    events = r.some_events()
    outside, back, far = events.copy(), events.copy(), events.copy()
    outside["x"][7] = 34
    back["t"][200] = 5
    far["t"][-1] = 10**14
    assert refusal(outside, bin="1ms").startswith(
        "r0: has events at x = 34 or y = 27, its sensor has 34 x 28 pixels.")
    assert refusal(back, bin="1ms") == (
        "r0: has times that run backwards, at 5 us. Sort its events by time, or cut the file there.")
    assert refusal(back, bin="1ms", pieces=2).startswith("r0: has times that run backwards")
    assert "more than 115 days: it is damaged" in refusal(far, bin="1ms")
    assert refusal(events[:0], bin="1ms") == "r0: has no event."


def test_a_step_without_a_length_is_refused_with_the_size_of_the_recording():
    assert refusal(r.some_events()) == (
        "r0: is a recording of 34 x 28 pixels, and nobody says how long a step is. "
        "Add --bin 1ms, say, or --bins 100.")


def test_more_than_memory_should_hold_is_refused_before_it_is_made():
    late = r.some_events()
    late["t"][-1] = 10**13
    assert refusal(late, bin="1us") == (
        "DATA (34 x 28 pixels): makes 1 x 9,999,999,999,901 steps of 1,904 values at once, "
        "70,929,527.3 GiB. Cut recordings into samples with --window, or take longer bins, "
        "fewer --steps, --crop or --downsample.")
    assert "makes 100,000,000 samples of 100ms, 10,000,000 are read" in refusal(
        late, bin="1ms", window="100ms")


def test_recordings_of_other_sizes_need_a_crop():
    pair = [Recording(where=f"r{s}", size=s, pieces=iter([r.some_events(size=(8, 8))]))
            for s in ((8, 8), (9, 9))]
    with pytest.raises(NmcError, match="is of 9 x 9 pixels, those before it of 8 x 8"):
        binned(pair, EventOptions(bin="1ms"), "DATA")
    assert "goes to pixel 40, 28" in refusal(r.some_events(), bin="1ms", crop=(6, 0, 34, 28))


@pytest.mark.parametrize(("options", "said"), [
    ({"bin": "1"}, "--bin: is '1', which is no whole number of microseconds from 1. Write a "),
    ({"bin": "0us"}, "--bin: is '0us'"), ({"bin": "0ev"}, "--bin: is '0ev'"),
    ({"bin": "0.5us"}, "--bin: is '0.5us'"), ({"bin": "1e3us"}, "--bin: is '1e3us'"),
    ({"bin": "999999999999s"}, "--bin: is '999999999999s'"),
    ({"bin": "1ms", "bins": 3}, "--bins: says the same as --bin in another way"),
    ({"bins": 0}, "--bins: is 0, expected 1 to 100,000"),
    ({"bin": "3ms", "window": "10ms"}, "--window: is 10ms, which is no multiple of --bin 3ms"),
    ({"bin": "9ev", "window": "10ms"}, "--window: is a length of time, --bin a number of events"),
    ({"polarity": "up"}, "--polarity: is 'up'. Take one of both, merge, on, off"),
    ({"downsample": 0}, "--downsample: is 0"), ({"crop": (0, 0, 0, 5)}, "--crop: has a side of 0"),
    ({"sensor": (0, 5)}, "--sensor: has a side of 0 pixels, expected 1 to 100,000"),
])
def test_wishes_that_mean_nothing_are_refused(options, said):
    with pytest.raises(NmcError) as error:
        EventOptions(**options)
    assert str(error.value).startswith(said)


def test_lengths_of_time_are_of_microseconds():
    assert [EventOptions(bin=b).bin_us for b in ("7us", "1.5ms", "2s")] == [7, 1500, 2_000_000]
    assert EventOptions(bin="30ev").bin_us is None
    assert EventOptions(bin="30ev", labels=Path("x")).asked == ["--bin", "--labels"]


def test_the_least_that_events_send_is_nothing():
    """Chips whose payloads have no sign ask for it."""
    x = frames(r.some_events(), bin="1ms", downsample=2)
    port = replace(conv_network().inputs[0], shape=x.shape[2:])
    network = replace(conv_network(), inputs=(port,))
    assert encoded(x, network)[port.name].lowest == 0
