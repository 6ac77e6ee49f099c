"""Recordings as data of the verbs: what the chip runs is what a table of the same events gives."""

import csv
import json
from functools import partial

import numpy as np
import pytest
from helpers import recordings as r
from helpers.command import nmc, refusal

NETWORK = """
import snntorch
from torch import nn


class Net(nn.Module):
    num_steps = 12

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, stride=2)
        self.lif1 = snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True)
        self.fc = nn.Linear(4 * 6 * 8, 3)
        self.lif2 = snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True)

    def forward(self, x):
        return self.lif2(self.fc(self.lif1(self.conv(x)).flatten(1)))
"""
BINNED = ("--bin", "5ms", "--downsample", "2")  # 34 x 28 pixels become 17 x 14


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A file of weights, and the code of the network."""
    import torch

    from nmcompile.frontends.loading.code_file import load_code

    folder = tmp_path_factory.mktemp("model")
    (folder / "net.py").write_text(NETWORK)
    code = f"{folder / 'net.py'}:Net"
    torch.manual_seed(3)
    torch.save(load_code(code)[1]().state_dict(), folder / "net.pt")
    return folder / "net.pt", code


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder for each of three classes, with two recordings each; and the same as an array."""
    folder, x = tmp_path_factory.mktemp("data"), []
    for kind in range(3):
        (folder / "by_class" / str(kind)).mkdir(parents=True)
        for i in range(2):
            events = r.some_events(1500, seed=2 * kind + i)
            events["t"][-1] = 60_099  # in the last of 12 steps
            r.write_es(folder / "by_class" / str(kind) / f"{i}.es", events)
            pixels = r.dense(events, 5000, 12)
            x.append(pixels.reshape(1, 12, 2, 14, 2, 17, 2).sum((4, 6)))
    np.savez(folder / "same.npz", x=np.concatenate(x), y=[0, 0, 1, 1, 2, 2])
    return folder


@pytest.fixture
def run(capsys, monkeypatch):
    return partial(nmc, capsys, monkeypatch)


@pytest.fixture
def build(run, model, recordings, tmp_path):
    result = run("compile", model[0], "--code", model[1], "--target", "loihi2", "--calibrate",
                 recordings / "by_class", *BINNED, "-o", tmp_path / "build")
    assert result.code == 0, result.err
    return tmp_path / "build"


def figures_of(outcome):
    """The figures of a run without what they say of its data, and the name of these."""
    figures = json.loads(outcome.out)
    return figures, figures.pop("data")["name"]


def test_recordings_give_what_an_array_of_the_same_events_gives(run, build, model, recordings,
                                                                tmp_path):
    assert run("compile", model[0], "--code", model[1], "--target", "loihi2", "--calibrate",
               recordings / "same.npz", "-o", tmp_path / "other").code == 0
    other = json.loads(run("report", tmp_path / "other", "--json").out)
    assert json.loads(run("report", build, "--json").out)["checks"] == other["checks"]

    seen, called = figures_of(run("simulate", build, "--input", recordings / "by_class", *BINNED,
                                  "-o", tmp_path / "a.npz", "--json"))
    same, _ = figures_of(run("simulate", build, "--input", recordings / "same.npz", "-o",
                             tmp_path / "b.npz", "--json"))
    assert seen == same
    assert called == "by_class"
    assert seen["samples"] == 6
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a["lif1/spikes"].any()
        for name in b.files:
            np.testing.assert_array_equal(a[name], b[name])


def test_a_device_is_held_against_recordings_and_goes_on_with_the_same_ones(
        run, build, recordings):
    arguments = ("validate", build, "--device", "sim", "--input", recordings / "by_class", *BINNED)
    result = run(*arguments, "--samples", "4", "--fail-above", "0", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["samples"] == 4


def test_labels_come_from_a_table_too(run, build, recordings):
    files = sorted((recordings / "by_class").rglob("*.es"))
    table = recordings / "table.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label"])
        rows.writerows([f.relative_to(recordings / "by_class"), int(f.parent.name)] for f in files)
    by_table = run("simulate", build, "--input", recordings / "by_class", "--labels", table,
                   *BINNED, "--json")
    by_folder = run("simulate", build, "--input", recordings / "by_class", *BINNED, "--json")
    assert json.loads(by_table.out)["accuracy"] == json.loads(by_folder.out)["accuracy"]


def test_a_window_makes_several_samples_of_one_class(run, build, recordings):
    result = run("simulate", build, "--input", recordings / "by_class", *BINNED, "--window", "20ms",
                 "--json")
    figures = json.loads(result.out)
    assert figures["samples"] == 18
    assert figures["accuracy"] is not None


def test_the_users_own_data_set_is_read(run, build, recordings, tmp_path):
    (tmp_path / "mine.py").write_text(f"""
import numpy as np
import faery
from pathlib import Path

FILES = sorted(Path({str(recordings / 'by_class')!r}).rglob("*.es"))


class Mine:
    sensor_size = (34, 28, 2)

    def __len__(self):
        return len(FILES)

    def __getitem__(self, i):
        events = np.concatenate(list(faery.events_stream_from_file(FILES[i])))
        made = np.zeros(len(events), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "?")])
        made["t"], made["x"], made["p"] = events["t"], events["x"], events["on"]
        made["y"] = events["y"]
        return made, int(FILES[i].parent.name)
""")
    mine = run("simulate", build, "--input", f"{tmp_path / 'mine.py'}:Mine", *BINNED, "--json")
    assert mine.code == 0, mine.err
    same = run("simulate", build, "--input", recordings / "by_class", *BINNED, "--json")
    assert figures_of(mine)[0] == figures_of(same)[0]


def refused(run, build, *arguments):
    result = run("simulate", build, "--input", *arguments)
    assert result.code == 2
    assert not result.out
    return refusal(result.err)


def test_what_does_not_fit_is_refused_with_what_to_do(run, build, recordings, tmp_path):
    one, same = recordings / "by_class" / "0" / "0.es", recordings / "same.npz"
    assert refused(run, build, one, "--bin", "5ms") == (
        f"{one} (34 x 28 pixels): gives 2 x 28 x 34 values a step, the network "
        "takes 2 x 14 x 17. Add --crop, --downsample or --polarity.")
    assert "nobody says how long a step is" in refused(run, build, one)
    assert refused(run, build, same, "--bin", "5ms") == (
        f"--bin: is for recordings of events, {same} is none. Leave it out.")
    assert "--labels: is for a folder" in refused(run, build, one, *BINNED, "--labels", same)
    assert "'1,2' is no X,Y,WIDTH,HEIGHT" in refused(run, build, one, *BINNED, "--crop", "1,2")
    assert "already has 12 steps" in refused(run, build, one, *BINNED, "--encode", "rate")
    (tmp_path / "empty").mkdir()
    assert "holds no recording" in refused(run, build, tmp_path / "empty", *BINNED)
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    assert "notes.txt: is no recording of events of a known format" in refused(
        run, build, tmp_path / "empty", *BINNED)


def test_counts_on_binary_spikes_are_refused_and_binary_ones_are_sent(run, model, recordings,
                                                                      tmp_path):
    folder = tmp_path / "l1"
    arguments = ("compile", model[0], "--code", model[1], "--target", "loihi1", "-o", folder,
                 "--calibrate", recordings / "by_class", *BINNED)
    assert "Scale the data, or add --binary for events." in run(*arguments).err
    result = run(*arguments, "--binary")
    assert result.code == 0, result.err
    assert refused(run, folder, recordings / "by_class", *BINNED).endswith("Add --binary.")
    assert run("simulate", folder, "--input", recordings / "by_class", *BINNED,
               "--binary").code == 0
