"""`--fail-above` and what it stands on: nothing passes that was not compared, or is no number."""

import shutil

import numpy as np
import pytest
import torch
from helpers.command import nmc as run_nmc
from torch import nn

import nmcompile as nmc
from nmcompile.api import Asked, DataFile
from nmcompile.cli._validate_tables import print_validation
from nmcompile.device import Place, Recording
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import NmcError
from nmcompile.validation.limits import judged
from nmcompile.validation.run import validate

SAMPLES = 6


@pytest.fixture
def build(digits, tmp_path):
    folder = tmp_path / "build"
    shutil.copytree(digits[0], folder)
    return nmc.read_build(folder)


@pytest.fixture(scope="module")
def data(digits):
    whole = nmc.read_data(digits[1])
    return DataFile(x=whole.x[:SAMPLES], y=whole.y[:SAMPLES])


@pytest.fixture
def recording(build, data, tmp_path):
    path = tmp_path / "rec.npz"
    nmc.simulate(build, data, record=("*",), output=path)
    return path


def told_of(build, data, path, **asked):
    return validate(build, data, "file", place=Place(address=str(path)), asked=Asked(**asked))


class Changed(SimDevice):
    """The simulator with something else in what it gives."""

    name = "changed"

    def __init__(self, change):
        super().__init__()
        self.change = change

    def run(self, inputs, wanted, ran):
        found = super().run(inputs, wanted, ran)
        return self.change(found.variables) or found


def not_a_number(variables):
    variables["lif2"]["v"] = variables["lif2"]["v"].astype(np.float64)
    variables["lif2"]["v"][0, 1, 2] = np.nan


def too_many(variables):
    variables["lif1"]["spikes"][0, 0, 0] = 2**31 - 1


def endless(variables):
    return Recording(variables=variables, energy_j=np.full(SAMPLES, np.inf))


@pytest.mark.parametrize(("change", "said"), [
    (not_a_number, "gave lif2/v that are not finite"),
    (too_many, "gave lif1/spikes from 0 to 2,147,483,647 in a step, expected numbers of spikes"),
    (endless, "gave energy_j that are not all finite numbers"),
])
def test_what_no_device_measures_or_sends_is_refused_and_not_kept(build, data, change, said):
    with pytest.raises(NmcError, match=said):
        validate(build, data, Changed(change), asked=Asked(limits={"states": 9.0}))
    assert not list(build.folder.glob("validate-*"))


def test_what_is_no_number_is_above_every_limit():
    assert judged({"states": 9.0}, {"states": float("nan")})[0]["exceeded"]


@pytest.mark.parametrize("option", ["--tau", "--cost"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_distances_of_no_number_are_refused(digits, capsys, monkeypatch, option, value):
    result = run_nmc(capsys, monkeypatch, "validate", digits[0], "--device", "sim", "--input",
                     digits[1], "--samples", 1, option, value)
    assert (result.code, "expected finite numbers above 0" in result.err) == (2, True)


def test_a_short_recording_says_so_leaves_nothing_and_its_own_advice_works(
    build, data, recording, tmp_path
):
    arrays = dict(np.load(recording))
    short = tmp_path / "short.npz"
    np.savez(short, **{k: v[:4] for k, v in arrays.items() if "/" in k})
    with pytest.raises(NmcError, match=r"holds 4 samples.*--samples"):
        told_of(build, data, short, batch=2)
    assert told_of(build, data, short, batch=2, samples=4)["divergence"] is None
    assert not list(build.folder.glob("validate-*"))
    with pytest.raises(NmcError, match="--resume: is of no use with a recording"):
        told_of(build, data, short, samples=4, resume=True)


def test_a_recording_is_never_written_over(build, data, recording):
    before = recording.read_bytes()
    with pytest.raises(NmcError, match=r"-o.*is the file of --device"):
        told_of(build, data, recording, output=recording)
    assert recording.read_bytes() == before


def listed(recording, path, names):
    """A list of the events of some populations."""
    with np.load(recording) as file:
        rows = ["sample,step,population,neuron"]
        for name in names:
            spikes = file[f"{name}/spikes"].reshape(SAMPLES, 20, -1)
            rows += [f"{s},{t},{name},{n}" for s, t, n in np.argwhere(spikes).tolist()]
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("limit", ["spikes", "count", "van-rossum", "victor-purpura"])
def test_a_list_of_events_with_a_dead_output_does_not_pass(build, data, recording, tmp_path, limit):
    events = listed(recording, tmp_path / "dead.csv", ("lif1", "lif2"))
    with pytest.raises(NmcError, match=f"--fail-above {limit}: cannot be told"):
        told_of(build, data, events, limits={limit: 1.0})
    assert told_of(build, data, events)["not_readable"] == ["lif3"]
    whole = listed(recording, tmp_path / "whole.csv", ("lif1", "lif3"))
    assert told_of(build, data, whole, limits={limit: 0.0})["limits"][0]["value"] == 0.0


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """A build whose populations all send graded spikes, but for a readout that sends none."""
    torch.manual_seed(0)
    x = np.random.default_rng(0).random((4, 4)).astype(np.float32)
    compiled = nmc.compile(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)),
                           target="loihi2", sample=x, convert="sigma-delta")
    return nmc.write_build(compiled, tmp_path_factory.mktemp("changes") / "build", {}), DataFile(
        x=x, y=None)


def test_against_float_a_limit_on_graded_spikes_is_refused_and_they_are_named(changes, capsys):
    build, data = changes
    names = [p.name for p in build.program.network.populations]
    assert any(p.neuron.graded for p in build.program.network.populations)
    with pytest.raises(NmcError, match="--fail-above spikes: cannot be told"):
        validate(build, data, "sim", asked=Asked(against="float", steps=4, limits={"spikes": 0.0}))
    told = validate(build, data, "sim", asked=Asked(against="float", steps=4))
    assert told["not_compared"] == names
    print_validation(told)
    assert f"no spikes to compare are those of {', '.join(names)}" in capsys.readouterr().out
    told = validate(build, data, "sim", asked=Asked(steps=4, limits={"spikes": 0.0}))
    assert told["not_compared"] == names[-1:]


def test_each_address_has_its_own_journal(build, data):
    class Interrupted(SimDevice):
        name = "elsewhere"

        def open(self, place):
            self.runs = 0

        def run(self, inputs, wanted, ran):
            self.runs += 1
            if self.runs == 2:
                raise KeyboardInterrupt
            return super().run(inputs, wanted, ran)

    for address in ("10.0.0.2", "10.0.0.3"):
        with pytest.raises(KeyboardInterrupt, match="1 of 3 batches"):
            validate(build, data, Interrupted(), place=Place(address=address), asked=Asked(batch=2))
    assert len(list(build.folder.glob("validate-elsewhere-*"))) == 2


@pytest.mark.parametrize("part", ["Comparison.add", "divergence_figures"])
def test_an_interrupt_in_the_comparison_says_what_is_kept(build, data, monkeypatch, part):
    def interrupt(*_):
        raise KeyboardInterrupt

    def lame(variables):
        variables["lif3"]["spikes"][:] = 0

    monkeypatch.setattr(f"nmcompile.validation.run.{part}", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"interrupted after . of 3 batches") as error:
        validate(build, data, Changed(lame), asked=Asked(batch=2))
    assert error.value.written == "they are kept; --resume goes on"
    assert (build.folder / "validate-changed" / "000000000.npz").is_file()
