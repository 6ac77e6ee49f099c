"""Sound files are frames of the features that librosa computes, in folders of their classes."""

import librosa
import numpy as np
import pytest
import soundfile

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.audio import read
from nmcompile.frontends.audio.options import hertz

RATE = 16_000


def noise(samples=RATE, seed=0, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def save(path, sound, rate=RATE, **how):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, sound, rate, **{"subtype": "FLOAT"} | how)
    return path


def features(path, **options):
    return nmc.read_data(path, nmc.AudioOptions(**options))


def refusal(path, options=None, **audio):
    with pytest.raises(NmcError) as error:
        nmc.read_data(path, options or nmc.AudioOptions(**audio))
    return str(error.value).replace(str(path), "DATA")


@pytest.mark.parametrize(("pad", "center", "mode"), [
    ("none", False, "constant"), ("zero", True, "constant"), ("reflect", True, "reflect")])
@pytest.mark.parametrize("fft", [400, 512, 513])
def test_features_are_those_of_librosa(tmp_path, pad, center, mode, fft):
    sound = noise(70_077)  # more than a block
    path = save(tmp_path / "a.wav", sound)
    power = librosa.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=fft, win_length=400, hop_length=160, center=center, pad_mode=mode,
        n_mels=40)
    decibel = librosa.power_to_db(power, top_db=None)
    for name, wanted in (("mel", power), ("logmel", decibel),
                         ("mfcc", librosa.feature.mfcc(S=decibel, n_mfcc=13))):
        x = features(path, features=name, pad=pad, fft=fft).x
        assert x.dtype == np.float32
        np.testing.assert_allclose(x[0], wanted.T, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_the_htk_scale_is_librosas_with_peaks_of_one(tmp_path):
    sound = noise()
    wanted = librosa.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=512, win_length=400, hop_length=160, pad_mode="reflect", n_mels=20,
        fmin=20, fmax=4000, htk=True, norm=None)
    x = features(save(tmp_path / "a.wav", sound), features="mel", mels=20, fft=512, band=(20, 4000),
                 mel_scale="htk", pad="reflect").x
    np.testing.assert_allclose(x[0], wanted.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("given", "wanted"), [(16_000, 8000), (44_100, 16_000), (8000, 11_025)])
def test_another_rate_is_that_of_librosas_resampling(tmp_path, given, wanted):
    sound = noise(3 * given + 11)
    y = librosa.resample(sound, orig_sr=given, target_sr=wanted)
    power = librosa.feature.melspectrogram(
        y=y, sr=wanted, n_fft=round(0.032 * wanted), hop_length=round(0.01 * wanted), center=False,
        n_mels=20)
    x = features(save(tmp_path / "a.wav", sound, given), rate=f"{wanted}Hz", window="32ms", mels=20,
                 features="mel").x
    np.testing.assert_allclose(x[0], power.T, rtol=1e-3, atol=1e-6)


def test_a_hop_beyond_the_frame_leaves_samples_out(tmp_path):
    sound = noise(150_000)
    power = librosa.feature.melspectrogram(y=sound, sr=RATE, n_fft=160, hop_length=3200, n_mels=8,
                                           center=False)
    x = features(save(tmp_path / "a.wav", sound), window="10ms", hop="200ms", mels=8,
                 features="mel").x
    np.testing.assert_allclose(x[0], power.T, rtol=1e-4, atol=1e-7)


def test_a_folder_for_each_class_gives_frames_and_labels(tmp_path):
    for i, (name, samples) in enumerate((("no", 9000), ("yes", 16_000), ("yes", 12_345))):
        save(tmp_path / name / f"{i}.flac", noise(samples, seed=i), subtype="PCM_16")
    data = features(tmp_path)
    assert data.x.shape == (3, 98, 40)
    assert data.y.tolist() == [0, 1, 1]
    assert (data.x[0, 57:] == -100).all()  # the shorter ends with silence
    assert (data.x[0, :54] > -100).all()


def test_a_duration_cuts_and_adds_silence(tmp_path):
    path = save(tmp_path / "a.wav", noise())
    whole = features(path).x
    np.testing.assert_array_equal(features(path, duration="500ms").x, whole[:, :48])
    longer = features(path, duration="2s").x
    np.testing.assert_array_equal(longer[:, :98], whole)
    assert longer.shape[1] == 198
    assert (longer[:, 100:] == -100).all()


def test_a_channel_is_chosen(tmp_path):
    left, right = noise(seed=1), noise(seed=2)
    path = save(tmp_path / "a.wav", np.stack([left, right], 1))
    for channel, sound in (("0", left), ("1", right), ("mix", (left + right) / 2)):
        alone = save(tmp_path / "b.wav", sound)
        np.testing.assert_array_equal(features(path, channel=channel).x, features(alone).x)
    assert refusal(path) == (
        "DATA: has 2 channels. Add --channel mix, or --channel 0 for the first.")
    assert refusal(path, channel="2") == "DATA: has no channel 2, only 2."


def test_values_are_normalised_by_numbers_or_by_arrays(tmp_path):
    path = save(tmp_path / "a.wav", noise())
    x = features(path).x
    np.testing.assert_allclose(features(path, normalise="-20,4").x, (x + 20) / 4, rtol=1e-6)
    mean, std = x.mean((0, 1)), x.std((0, 1))
    np.savez(tmp_path / "stat.npz", mean=mean, std=std)
    made = features(path, normalise=str(tmp_path / "stat.npz")).x
    np.testing.assert_allclose(made.mean((0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(made.std((0, 1)), 1, atol=1e-4)


def test_statistics_that_do_not_fit_are_refused(tmp_path):
    path, table = save(tmp_path / "a.wav", noise()), tmp_path / "stat.npz"
    for arrays, said in (({"mean": np.zeros(39), "std": np.ones(40)}, "holds float64 of shape (39,), expected one number or 40"),
                         ({"mean": 0.0}, "is no .npz with the arrays mean and std"),
                         ({"mean": 0.0, "std": 0.0}, "a deviation that is not above 0")):
        np.savez(table, **arrays)
        assert said in refusal(path, normalise=str(table))
    np.savez(table, mean=np.array([object()]), std=1.0)
    assert "is no .npz with the arrays mean and std" in refusal(path, normalise=str(table))
    assert "a deviation that is not above 0" in refusal(path, normalise="0,-1")
    assert "is no MEAN,STD" in refusal(path, normalise="0,--1")
    assert "No such file" in refusal(path, normalise="nothing")


def test_files_of_several_rates_need_one(tmp_path):
    save(tmp_path / "a.wav", noise())
    save(tmp_path / "b.wav", noise(), rate=8000)
    assert refusal(tmp_path) == (
        "DATA/b.wav: has 8,000 samples a second, those before it 16,000. "
        "Give --audio-rate 16000Hz, say.")
    assert features(tmp_path, rate="8kHz").x.shape == (2, 198, 40)


def test_a_rate_that_is_too_far_from_the_one_asked_for_is_refused(tmp_path):
    save(tmp_path / "a.wav", noise(), rate=60)
    assert refusal(tmp_path, rate="16kHz") == (
        "DATA/a.wav: has 60 samples a second, which are too far from the 16,000 of --audio-rate. "
        "Leave it out, or look at the file.")


def test_damaged_files_are_refused(tmp_path):
    path = save(tmp_path / "a.wav", noise(), subtype="PCM_16")
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    assert refusal(path) == (
        "DATA: is cut off: its head says 32,000 bytes of samples, there are 1,956.")
    path.write_bytes(whole[:40] + b"\xff" * 4 + whole[44:])  # a pipe leaves the length open
    assert features(path).x.shape == (1, 98, 40)
    path.write_bytes(whole[:30])
    assert refusal(path).startswith("DATA: is no readable sound")
    save(path, np.zeros(0))
    assert refusal(path) == "DATA: holds no samples."
    save(path, np.array([0, np.nan]))
    assert refusal(path, duration="1s") == "DATA: holds samples that are not finite."
    flac = save(tmp_path / "a.flac", noise(), subtype="PCM_16")
    flac.write_bytes(flac.read_bytes()[:9000])
    assert refusal(flac).startswith("DATA: is no readable sound")


def test_a_head_that_claims_too_much_is_refused(tmp_path):
    path = save(tmp_path / "a.flac", noise(), subtype="PCM_16")
    whole = bytearray(path.read_bytes())
    whole[21] |= 0x0F  # 36 bits of samples, behind rate, channels and width
    whole[22:26] = b"\xff" * 4
    path.write_bytes(whole)
    assert refusal(path) == (
        "DATA: makes 1 x 429,496,728 frames of 40 values, 64.0 GiB. "
        "Cut recordings with --duration, or take a longer --hop.")


def test_too_short_and_too_long_recordings_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.wav", noise(300))
    assert refusal(path) == ("DATA: lasts 300 samples at 16,000 Hz, a frame needs 400. "
                             "Take a shorter --window, or add --duration.")
    assert "a frame needs 257" in refusal(save(path, noise(200)), fft=512, pad="reflect")
    monkeypatch.setattr(read, "MAX_BYTES", 4 * 98 * 40 - 1)
    assert "makes 1 x 98 frames of 40 values" in refusal(save(path, noise()))


@pytest.mark.parametrize(("text", "rate"), [
    ("16.1kHz", 16_100), ("32.7kHz", 32_700), ("22.05kHz", 22_050),
    ("32.768khz", 32_768), ("8000Hz", 8000)])
def test_rates_are_whole_numbers_of_hz_as_they_are_written(text, rate):
    assert hertz(text) == rate


@pytest.mark.parametrize(("options", "message"), [
    ({"rate": "16"}, "--audio-rate: is '16', which is no whole number of Hz from 100 to 1,000,000. Write it as 16kHz or 16000Hz."),
    ({"features": "cqt"}, "--features: is 'cqt'. Take one of logmel, mel, mfcc."),
    ({"mels": 0}, "--mels: is 0, expected 1 to 1,024."),
    ({"coefficients": 41, "features": "mfcc"}, "--coefficients: is 41, expected 1 to 40, the mel bands."),
    ({"coefficients": 12}, "--coefficients: is of mfcc, --features is logmel. Leave it out."),
    ({"window": "25"}, "--window: is '25', which is no length of time above 0 and up to a day. Write it as 25ms or 1s."),
    ({"window": "10s"}, "--window: is 160,000 samples at 16,000 Hz, expected 2 to 65,536."),
    ({"hop": "1us"}, "--hop: is less than a sample at 16,000 Hz."),
    ({"fft": 256}, "--fft: is 256 samples, the window has 400 at 16,000 Hz."),
    ({"band": (20, 9000)}, "--band: reaches 9000 Hz, sound of 16,000 samples a second has frequencies up to 8000 Hz."),
    ({"band": (20, 20)}, "--band: is 20 to 20 Hz. Give the lower frequency first."),
    ({"channel": "left"}, "--channel: is 'left'. Give the number of a channel from 0, or mix."),
    ({"pad": "edge"}, "--pad: is 'edge'. Take one of none, zero, reflect."),
])
def test_options_that_mean_nothing_are_refused(tmp_path, options, message):
    path = save(tmp_path / "a.wav", noise())
    with pytest.raises(NmcError) as error:
        features(path, **options)
    assert str(error.value) == message


def test_options_of_other_data_are_refused(tmp_path):
    path = save(tmp_path / "a.wav", noise())
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    assert refusal(path, nmc.EventOptions(bin="1ms")) == (
        "--bin: is for recordings of events, DATA is none. Leave it out.")
    assert refusal(path, nmc.EventOptions(window="100ms")) == (
        "--window: is for recordings of events, DATA is none. Leave it out.")
    assert refusal(tmp_path / "x.npy", mels=20) == "--mels: is for sound, DATA is none. Leave it out."


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "a.wav", noise())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refusal(path) == ("DATA: is read by the package soundfile, which is not installed. "
                             "pip install 'nmcompile[audio]'.")
