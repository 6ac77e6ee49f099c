"""`nmc validate`: what it tells, what it refuses, what it keeps when a device is lost."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers import broken_devices as broken
from helpers.command import nmc as run_nmc

import nmcompile as nmc
from nmcompile.api import Asked
from nmcompile.device import Place, Recording
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import DeviceLostError, NmcError
from nmcompile.validation.session import TRIES

SAMPLES = 6
pytestmark = pytest.mark.filterwarnings("ignore:the device was lost")


@pytest.fixture
def build(digits, tmp_path):
    """A copy of the build that a test may write beside."""
    folder = tmp_path / "build"
    shutil.copytree(digits[0], folder)
    return nmc.read_build(folder)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("nmcompile.validation.session.PAUSE_S", 0)


@pytest.fixture(scope="module")
def data(digits):
    return nmc.read_data(digits[1])


class Flaky(SimDevice):
    """The simulator behind a connection that breaks in some of its runs."""

    name = "flaky"

    def __init__(self, breaks=()):
        super().__init__()
        self.runs, self.opened, self.closed, self.breaks = 0, 0, 0, set(breaks)

    def open(self, place):
        super().open(place)
        self.opened += 1

    def run(self, inputs, wanted, ran):
        self.runs += 1
        if self.runs in self.breaks:
            ran(5)
            raise DeviceLostError("device flaky", "does not answer")
        return super().run(inputs, wanted, ran)

    def close(self):
        super().close()
        self.closed += 1


class Measuring(SimDevice):
    """A device that measures, reads no states, and sends a spike less."""

    name = "measuring"

    def readable(self):
        return {name: ("spikes",) for name in ("lif1", "lif3")}

    def run(self, inputs, wanted, ran):
        found = super().run(inputs, wanted, ran)
        samples, steps = next(iter(inputs.values())).shape[:2]
        spikes = found.variables["lif3"]["spikes"]
        spikes[tuple(np.argwhere(spikes)[0])] = 0
        return Recording(variables=found.variables, step_s=np.full((samples, steps), 2e-3),
                         energy_j=np.full(samples, 3e-3), boundary="the board without its host")


def asked(**options):
    return Asked(**{"samples": SAMPLES, "batch": 2, **options})


def rows(figures):
    return {row["name"]: row for row in figures["populations"]}


@pytest.mark.parametrize("against", ["sim", "integer"])
def test_the_simulator_is_what_was_compiled_with_all_states(build, data, against):
    told = nmc.validate(build, data, "sim", asked=asked(against=against, limits={"states": 0.0}))
    assert told["divergence"] is None
    assert all(row["differing"] == 0 for row in told["populations"])
    assert set(rows(told)["lif1"]["states"]) == {"u", "v"}
    assert sum(row["spikes_device"] for row in told["populations"]) > 10_000
    assert told["decisions"]["equal"] == 1.0
    assert told["latency_s"] is None
    assert not list(build.folder.glob("validate-*"))


def test_against_the_float_network_quantization_shows_and_no_rule_is_sought(build, data):
    told = nmc.validate(build, data, "sim", asked=asked(against="float"))
    row = rows(told)["lif2"]
    assert 0 < row["share"] < 0.3
    assert row["states"] == {}
    assert 0 < row["van_rossum"]["mean"] < row["van_rossum"]["largest"]
    assert told["divergence"]["explanations"] == []


def test_a_build_without_its_float_network_says_so(build, data):
    manifest = build.folder / "manifest.json"
    text = json.loads(manifest.read_text())
    del text["sha256"]["float.h5"]
    manifest.write_text(json.dumps(text))
    with pytest.raises(NmcError, match="holds no network in real numbers"):
        nmc.validate(nmc.read_build(build.folder), data, "sim", asked=asked(against="float"))


@pytest.mark.parametrize(("damage", "said"), [
    (lambda raw: raw[:-7], "is not the file that manifest.json tells of"),
    (lambda raw: raw[: len(raw) // 2], "is a damaged HDF5 file"),
    (lambda raw: b"\0" * 64, "is a damaged HDF5 file"),
])
def test_a_damaged_float_network_is_told_of(build, data, damage, said):
    path, manifest = build.folder / "float.h5", build.folder / "manifest.json"
    path.write_bytes(damage(path.read_bytes()))
    if "manifest" not in said:
        text = json.loads(manifest.read_text())
        text["sha256"]["float.h5"] = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest.write_text(json.dumps(text))
    with pytest.raises(NmcError, match=said):
        nmc.validate(nmc.read_build(build.folder), data, "sim", asked=asked(against="float"))


def test_what_is_measured_stands_beside_what_the_simulator_predicts(build, data):
    told = nmc.validate(build, data, Measuring(), asked=asked())
    predicted = nmc.simulate(build, nmc.api.DataFile(x=data.x[:SAMPLES], y=None)).figures
    assert told["latency_s"]["measured"] == pytest.approx(20 * 2e-3)
    assert told["latency_s"]["predicted"] == predicted["latency_s"]["per_sample_mean"]
    assert told["energy_j"] == {"measured": pytest.approx(3e-3),
                                "predicted": predicted["energy_per_sample_j"]}
    assert told["boundary"] == "the board without its host"
    assert told["not_readable"] == ["lif2"]


def test_a_lost_spike_is_found_where_it_was_with_what_arrived_there(build, data):
    told = nmc.validate(build, data, Measuring(), asked=asked(batch=SAMPLES))
    first = told["divergence"]
    assert (first["sample"], first["population"], first["variable"]) == (0, "lif3", "spikes")
    assert first["spikes"] == {"reference": 1, "device": 0}
    assert first["explanations"][0]["rule"] == "lost spike"
    assert first["explanations"][0]["differing"] == 0
    assert first["incoming"][0]["assumed"]  # the device says nothing of lif2
    assert first["states_before"]["v"]["device"] is None
    network = build.program.network
    link = next(p for p in network.projections if p.target == "lif3")
    for row in first["incoming"]:
        assert link.map.weight[first["neuron"], row["source"]] == row["weight"]


def test_a_connection_that_breaks_is_made_again_and_nothing_is_run_twice(build, data):
    plain = nmc.validate(build, data, "sim", asked=asked(output=build.folder / "plain.npz"))
    device, told = Flaky(breaks={2, 4}), []
    figures = nmc.validate(build, data, device, asked=asked(output=build.folder / "flaky.npz"),
                           progress=lambda done, total: told.append((done, total)))
    assert figures["lost"] == [f"from sample {first} on: device flaky: does not answer"
                               for first in (2, 4)]
    assert {**figures, "device": "sim", "lost": []} == plain
    assert (device.runs, device.opened) == (3 + 2, 1 + 2)
    assert sum(done for done, _ in told) == told[0][1] == SAMPLES * 20
    one, other = (np.load(build.folder / name) for name in ("plain.npz", "flaky.npz"))
    assert sorted(one) == sorted(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_loss_is_told_when_it_happens(build, data):
    with pytest.warns(UserWarning, match="lost from sample 2 on: device flaky: does not answer. "
                      "Trying again, 2 of 3"):
        nmc.validate(build, data, Flaky(breaks={2}), asked=asked())


def test_a_device_that_stays_lost_may_ask_for_another_option(build, data):
    class Late(SimDevice):
        def run(self, inputs, wanted, ran):
            raise DeviceLostError("board", "lost spikes", "Give --device-option tick=.")

    with pytest.raises(NmcError, match=r"lost spikes, 3 times. Give --device-option tick=.$"):
        nmc.validate(build, data, Late(), asked=asked())


def test_options_that_say_how_a_device_is_reached_do_not_keep_a_run_from_going_on(build, data):
    class Board(Flaky):
        reached_by = frozenset({"app"})

        def open(self, place):
            self.opened += 1

    def place(**options):
        return Place(options=options)

    with pytest.raises(NmcError, match="3 times"):
        nmc.validate(build, data, Board(breaks=range(2, 9)), asked=asked(), place=place(app="30"))
    with pytest.raises(NmcError, match=r"differs in options \({} there, {'tick': '1'} now\)"):
        nmc.validate(build, data, Board(), asked=asked(resume=True),
                     place=place(app="31", tick="1"))
    told = nmc.validate(build, data, Board(), asked=asked(resume=True), place=place(app="31"))
    assert told["divergence"] is None


def test_a_device_is_given_payloads_of_32_bits(build, data):
    given = []

    class Listening(SimDevice):
        def run(self, inputs, wanted, ran):
            given.extend(values.dtype for values in inputs.values())
            return super().run(inputs, wanted, ran)

    nmc.validate(build, data, Listening(), asked=asked())
    assert given
    assert set(given) == {np.dtype(np.int32)}


def test_a_device_that_stays_lost_ends_the_run_which_resumes_with_equal_results(build, data):
    plain = nmc.validate(build, data, "sim", asked=asked())
    device = Flaky(breaks=range(2, 2 + TRIES))
    with pytest.raises(NmcError, match=r"does not answer, 3 times.*--resume"):
        nmc.validate(build, data, device, asked=asked())
    assert device.closed == device.opened
    assert [p.name for p in sorted((build.folder / "validate-flaky").iterdir())] == [
        "000000000.npz", "lock", "run.json"]
    with pytest.raises(NmcError, match="did not end"):
        nmc.validate(build, data, Flaky(), asked=asked())
    again = Flaky()
    figures = nmc.validate(build, data, again, asked=asked(resume=True))
    assert {**figures, "device": "sim"} == plain
    assert again.runs == 2
    assert not (build.folder / "validate-flaky").exists()


def test_a_device_that_is_gone_when_it_is_opened_again_is_a_lost_one(build, data):
    class Gone(Flaky):
        def open(self, place):
            if self.opened:
                raise NmcError("device gone", "nothing answers there")
            super().open(place)

    with pytest.raises(NmcError, match=r"nothing answers there, 3 times.*--resume"):
        nmc.validate(build, data, Gone(breaks={2}), asked=asked())
    assert nmc.validate(build, data, Flaky(), asked=asked(resume=True))["divergence"] is None


@pytest.mark.parametrize("other", [{"seed": 1}, {"batch": 3}, {"samples": 5}])
def test_a_run_of_other_input_seed_or_batches_does_not_go_on(build, data, other):
    with pytest.raises(NmcError):
        nmc.validate(build, data, Flaky(breaks=range(2, 9)), asked=asked())
    with pytest.raises(NmcError, match=f"is of another run: it differs in .*{next(iter(other))}"):
        nmc.validate(build, data, Flaky(), asked=asked(resume=True, **other))
    assert (build.folder / "validate-flaky" / "000000000.npz").exists()


@pytest.mark.parametrize("change", [
    lambda config: (config / "arrays.npz").write_text("{}"),
    lambda config: (config / "new.txt").write_text("new"),
    lambda config: (config / "arrays.npz").unlink(),
])
def test_a_run_does_not_go_on_with_another_configuration(build, data, change):
    with pytest.raises(NmcError):
        nmc.validate(build, data, Flaky(breaks=range(2, 9)), asked=asked())
    change(build.folder / "config")
    with pytest.raises(NmcError, match="is of another run: it differs in config"):
        nmc.validate(build, data, Flaky(), asked=asked(resume=True))


class Named(Flaky):
    """A device that tells its name once it is open, as one of another machine does."""

    def __init__(self, names, breaks=()):
        super().__init__(breaks)
        self.names = list(names)

    def open(self, place):
        super().open(place)
        self.name = self.names.pop(0)


def test_a_run_does_not_go_on_with_another_device_at_the_address(build, data, monkeypatch):
    devices = [Named(["lava at lab"] * 3, breaks=range(2, 5)), Named(["sim at lab"]),
               Named(["lava at lab"])]
    monkeypatch.setattr("nmcompile.validation.run.device_of", lambda name: devices.pop(0))
    for said, resume in (("3 times", False), ("another run: it differs in device", True)):
        with pytest.raises(NmcError, match=said):
            nmc.validate(build, data, "remote", asked=asked(resume=resume))
    assert nmc.validate(build, data, "remote", asked=asked(resume=True))["divergence"] is None


def test_another_device_that_answers_after_a_loss_is_given_nothing(build, data):
    device = Named(["lava at lab", "sim at lab", "lava at lab"], breaks={2})
    with pytest.raises(NmcError, match="device lava at lab: was lost, and 'sim at lab' answers"):
        nmc.validate(build, data, device, asked=asked())
    assert device.runs == 2


def test_a_damaged_journal_is_told_of_and_can_be_run_again(build, data):
    with pytest.raises(NmcError):
        nmc.validate(build, data, Flaky(breaks=range(2, 9)), asked=asked())
    batch = build.folder / "validate-flaky" / "000000000.npz"
    batch.write_bytes(batch.read_bytes()[:100])
    with pytest.raises(NmcError, match=r"000000000.npz: is damaged"):
        nmc.validate(build, data, Flaky(), asked=asked(resume=True))
    batch.unlink()
    assert nmc.validate(build, data, Flaky(), asked=asked(resume=True))["divergence"] is None


def test_a_second_run_of_a_build_on_a_device_is_refused_while_the_first_goes_on(build, data):
    class Twice(SimDevice):
        name = "twice"

        def run(self, inputs, wanted, ran):
            for resume in (False, True):
                with pytest.raises(NmcError, match="validate-twice: is in use"):
                    nmc.validate(build, data, Second(), asked=asked(resume=resume))
            return super().run(inputs, wanted, ran)

    class Second(SimDevice):
        name = "twice"

    assert nmc.validate(build, data, Twice(), asked=asked())["divergence"] is None
    assert nmc.validate(build, data, Second(), asked=asked())["divergence"] is None
    assert not (build.folder / "validate-twice").exists()


def of(name, change):
    """A change of one variable, `population/variable`, of what a device gives."""
    def changed(found):
        population, variable = name.split("/")
        values = found.variables[population][variable]
        return replace(found, variables={**found.variables, population: {
            **found.variables[population], variable: change(values)}})
    return changed


def put(values, value, kind=np.float64):
    """`values` of another kind, with one of them changed."""
    changed = values.astype(kind)
    changed.flat[0] = value
    return changed


def measured(**arrays):
    return lambda found: replace(found, **arrays)


REFUSED = [
    (of("lif2/v", lambda v: v[:, 1:]), r"gave shape .* for lif2/v"),
    (of("lif2/spikes", lambda v: put(v, np.nan)), "gave lif2/spikes of float64, expected whole"),
    (of("lif2/spikes", lambda v: v * 0.5), "gave lif2/spikes of float64, expected whole"),
    (of("lif2/spikes", lambda v: v.astype(str)), "gave lif2/spikes of <U11, expected whole"),
    (of("lif2/spikes", lambda v: put(v, -1, np.int64)), "gave lif2/spikes from -1 to 1 in a step"),
    (of("lif2/spikes", lambda v: put(v, 2**63, np.uint64)), "gave .* from 0 to 9,223,372,036,854,775,808"),
    (of("lif2/v", lambda v: put(v, np.nan)), "gave lif2/v that are not finite"),
    (of("lif2/v", lambda v: put(v, 1j, complex)), "gave lif2/v of complex128, expected real"),
    (of("lif2/v", lambda v: v.astype("M8[s]")), r"gave lif2/v of datetime64\[s\], expected real"),
    (measured(sample_s=np.array([-1.0, 1.0])), "gave sample_s that are not all finite .* 0 or more"),
    (measured(energy_j=np.array([np.nan, 1.0])), "gave energy_j that are not all finite"),
    (measured(energy_j=np.ones(3)), r"gave energy_j of shape \(3,\) .* expected real numbers \(2,\)"),
    (measured(sample_s=np.array(["x", "y"])), "gave sample_s of shape .* and <U1"),
    (measured(step_s=np.zeros((0, 0))), r"gave step_s of shape \(0, 0\)"),
    (measured(step_s=np.ones((2, 21))), r"gave step_s of .* expected real numbers \(2, 20\)"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_what_no_device_can_give_is_refused_in_one_line_and_not_kept(build, data, change, said):
    class Strange(Flaky):
        name = "strange"

        def run(self, inputs, wanted, ran):
            found = super().run(inputs, wanted, ran)
            return change(found) if self.runs == 2 else found

    with pytest.raises(NmcError, match="device strange: " + said) as error:
        nmc.validate(build, data, Strange(), asked=asked())
    assert "\n" not in str(error.value)
    assert sorted(p.name for p in (build.folder / "validate-strange").iterdir()) == [
        "000000000.npz", "lock", "run.json"]


@pytest.mark.parametrize(("change", "said"), REFUSED[1::3])
def test_a_batch_that_was_tampered_with_is_named_and_run_again_once_removed(
    build, data, change, said
):
    with pytest.raises(NmcError):
        nmc.validate(build, data, Flaky(breaks=range(2, 9)), asked=asked())
    path = build.folder / "validate-flaky" / "000000000.npz"
    variables = {}
    with np.load(path) as file:
        for name in (name for name in file.files if "/" in name):
            population, variable = name.split("/")
            variables.setdefault(population, {})[variable] = file[name]
    changed = change(Recording(variables=variables))
    arrays = {f"{p}/{v}": values for p, each in changed.variables.items()
              for v, values in each.items()}
    arrays |= {name: getattr(changed, name) for name in ("step_s", "sample_s", "energy_j")
               if getattr(changed, name) is not None}
    np.savez(path, **arrays, boundary="")
    with pytest.raises(NmcError, match=f"000000000.npz: {said}.*Remove it"):
        nmc.validate(build, data, Flaky(), asked=asked(resume=True))
    path.unlink()
    assert nmc.validate(build, data, Flaky(), asked=asked(resume=True))["divergence"] is None


def test_spikes_of_any_kind_of_whole_numbers_are_taken(build, data):
    class Wide(SimDevice):
        name = "wide"

        def run(self, inputs, wanted, ran):
            found = super().run(inputs, wanted, ran)
            for change in (of("lif1/spikes", lambda v: v.astype(bool)),
                           of("lif2/spikes", lambda v: v.astype(np.uint64))):
                found = change(found)
            return found

    told = nmc.validate(build, data, Wide(), asked=asked(output=build.folder / "wide.npz"))
    assert told["divergence"] is None
    with np.load(build.folder / "wide.npz") as file:
        assert {file[f"{name}/spikes"].dtype for name in ("lif1", "lif2")} == {np.dtype(np.int32)}


@pytest.mark.parametrize(("limits", "code"), [
    ("0.0001", 1), ("1", 0), ("van-rossum=0,victor-purpura=0", 1), ("count=10", 0),
    ("decisions=1,accuracy=1", 0)])
def test_exit_code_1_says_that_a_limit_is_exceeded(
    digits, build, capsys, monkeypatch, limits, code
):
    result = run_nmc(capsys, monkeypatch, "validate", build.folder, "--device", "sim", "--input",
                     digits[1], "--samples", 3, "--against", "float", "--fail-above", limits)
    assert result.code == code, result.err
    assert ("is above" in result.out) == bool(code)


@pytest.mark.parametrize(("arguments", "said"), [
    (("--device", "sim", "--fail-above", "0.1,spikes=0.2"), "spikes is given twice"),
    (("--device", "sim", "--fail-above", "spokes=1"), "Did you mean 'spikes'"),
    (("--device", "sim", "--fail-above", "count=-1"), "expected a number from 0"),
    (("--device", "sim", "--fail-above", "states=1", "--against", "float"), "cannot be told"),
    (("--device", "sim", "--against", "reality"), "'reality' is not known"),
    (("--device", "sims"), "Did you mean 'sim'"),
    (("--device", "sim:1.2.3.4"), "has no address"),
    (("--device", "sim", "--device-option", "speed"), "is no NAME=VALUE"),
    (("--device", "sim", "--device-option", "speed=1"), "'speed' is not known"),
    (("--device", "sim", "--tau", "0"), "expected finite numbers above 0"),
    (("--device", "sim", "-o", "run.h5"), "expected .npz"),
    (("--device", "file"), "names no file"),
    (("--device", "file:nowhere.npz"), "No such file"),
    (("--device", "file:{digits}"), "tells of no population of this network"),
    (("--device", "file:{short}"), "holds 1 samples of 20 steps"),
    (("--device", "lava", "--device-option", "x=1"), "'x' is not known"),
    (("--device", "lava:/bin/false"), "has no lava-nc"),
    (("--device", "xylosim:/nowhere/python"), "is no program"),
])
def test_what_cannot_be_done_is_said_in_one_line_before_anything_is_written(
    digits, build, tmp_path, capsys, monkeypatch, arguments, said
):
    np.savez(tmp_path / "short.npz", **{"lif3/spikes": np.zeros((1, 20, 10), int)})
    before = sorted(p.name for p in build.folder.iterdir())
    arguments = [x.format(digits=digits[1], short=tmp_path / "short.npz") for x in arguments]
    result = run_nmc(capsys, monkeypatch, "validate", build.folder, "--input", digits[1],
                     "--samples", 2, *arguments)
    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1
    assert sorted(p.name for p in build.folder.iterdir()) == before


def test_the_vendors_pythons_are_never_replaced_by_another_device(
    digits, build, capsys, monkeypatch
):
    monkeypatch.delenv("NMC_LAVA_PYTHON", raising=False)
    result = run_nmc(capsys, monkeypatch, "validate", build.folder, "--device", "lava", "--input",
                     digits[1], "--samples", 2)
    assert result.code == 2
    assert "needs a Python with lava-nc 0.10" in result.err


def test_what_only_some_batches_measured_is_left_out_of_the_run_file_and_named(build, data):
    class Once(Measuring):
        runs = 0

        def run(self, inputs, wanted, ran):
            self.runs += 1
            found = super().run(inputs, wanted, ran)
            return replace(found, **({"step_s": None} if self.runs == 2 else {}),
                           sample_s=None if self.runs < 3 else np.ones(2))

    path = build.folder / "run.npz"
    with pytest.warns(UserWarning, match=r"run.npz lacks .*: not measured in all batches") as said:
        told = nmc.validate(build, data, Once(), asked=asked(output=path))
    assert {name for name in ("step_s", "sample_s", "energy_j") if name in str(said[0].message)} == {
        "step_s", "sample_s"}
    assert told["latency_s"] is None
    with np.load(path) as file:
        assert sorted(file) == ["energy_j", "lif1/spikes", "lif3/spikes"]
        assert len(file["energy_j"]) == len(file["lif3/spikes"]) == SAMPLES


class Clinging(Flaky):
    """A device that cannot be let go of."""

    name = "clinging"

    def close(self):
        super().close()
        raise self.fault


@pytest.mark.parametrize(("fault", "said"), [
    (NmcError("board", "refuses command 20"), "did not close: board: refuses command 20."),
    (OSError("no route"), "did not close: OSError: no route"),
])
def test_a_device_that_does_not_close_costs_no_result(build, data, fault, said):
    device, path = Clinging(breaks={2}), build.folder / "run.npz"
    device.fault = fault
    with pytest.warns(UserWarning, match=f"device clinging {said}"):
        told = nmc.validate(build, data, device, asked=asked(output=path))
    assert told["divergence"] is None
    assert path.is_file()
    assert device.closed == device.opened == 2
    assert not (build.folder / "validate-clinging").exists()


def test_what_ends_a_run_is_told_though_the_device_does_not_close_either(build, data):
    device = Clinging(breaks=range(2, 9))
    device.fault = OSError("no route")
    with pytest.warns(UserWarning, match="did not close"), \
            pytest.raises(NmcError, match="does not answer, 3 times"):
        nmc.validate(build, data, device, asked=asked())


def test_json_is_one_object_and_places_are_printed(digits, build, capsys, monkeypatch):
    result = run_nmc(capsys, monkeypatch, "validate", build.folder, "--device", "sim", "--input",
                     digits[1], "--samples", 2, "--encode", "rate", "--seed", 3, "--json")
    told = json.loads(result.out)
    assert (result.code, told["samples"], told["divergence"]) == (0, 2, None)


def test_an_installed_device_is_opened_with_its_address_and_options(build, data, monkeypatch):
    seen = []

    class Elsewhere(SimDevice):
        name = "elsewhere"

        def open(self, place):
            seen.append((place.address, dict(place.options)))

    monkeypatch.setattr("nmcompile.validation.run.device_of", lambda name: Elsewhere())
    nmc.validate(build, data, "elsewhere", asked=asked(),
                 place=Place(address="10.0.0.2:17893", options={"chip": "1"}))
    assert seen == [("10.0.0.2:17893", {"chip": "1"})]


def test_an_interrupted_run_keeps_the_batches_that_are_done(
    digits, build, data, capsys, monkeypatch
):
    class Interrupted(Flaky):
        def run(self, inputs, wanted, ran):
            if self.runs == 1:
                raise KeyboardInterrupt
            return super().run(inputs, wanted, ran)

    monkeypatch.setattr("nmcompile.validation.run.device_of", lambda name: Interrupted())
    arguments = ("validate", build.folder, "--device", "flaky", "--input", digits[1], "--samples",
                 SAMPLES, "--batch", 2)
    result = run_nmc(capsys, monkeypatch, *arguments)
    assert result.code == 130
    assert "interrupted after 1 of 3 batches; they are kept; --resume goes on" in result.err
    monkeypatch.setattr("nmcompile.validation.run.device_of", lambda name: Flaky())
    assert run_nmc(capsys, monkeypatch, *arguments, "--resume").code == 0


@pytest.mark.parametrize("states", [True, False])
def test_a_broken_device_is_explained_on_the_terminal(
    digits, build, capsys, monkeypatch, states
):
    fault = broken.changed_projection(
        build.program, 2, delay=build.program.network.projections[2].delay + 1)
    device = broken.BrokenDevice(broken.Fault(rule="delay", place={}, program=fault), states)
    monkeypatch.setattr("nmcompile.validation.run.device_of", lambda name: device)
    result = run_nmc(capsys, monkeypatch, "validate", build.folder, "--device", "broken", "--input",
                     digits[1], "--samples", 4, "--fail-above", 0)
    assert result.code == 1
    assert "rule      delay: lif2 -> lif3 takes 2 steps, not 1: explains all" in result.out
    assert "population lif3" in result.out
