"""Recordings of any laboratory: what they say is compared, what is wrong with them is said."""

import csv
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc as run_nmc
from hypothesis import given, settings
from hypothesis import strategies as st

import nmcompile as nmc
from nmcompile.api import Asked, DataFile
from nmcompile.device import Place
from nmcompile.devices.event_files import read_csv, read_events
from nmcompile.devices.file import FileDevice
from nmcompile.devices.run_files import read_arrays
from nmcompile.errors import NmcError
from nmcompile.validation.run import validate

SAMPLES = 4
AEDAT4 = Path(__file__).parents[1] / "data" / "events_10x1.aedat4"  # by dv_processing 2.0.4


@pytest.fixture(scope="module")
def build(digits):
    return nmc.read_build(digits[0])


@pytest.fixture(scope="module")
def data(digits):
    whole = nmc.read_data(digits[1])
    return DataFile(x=whole.x[:SAMPLES], y=whole.y[:SAMPLES])


@pytest.fixture(scope="module")
def run_file(build, data, tmp_path_factory):
    """A run file of `nmc simulate` with all that it records."""
    path = tmp_path_factory.mktemp("run") / "run.npz"
    nmc.simulate(build, data, record=("*",), output=path)
    return path


def loaded(path, build, **options):
    device = FileDevice()
    device.open(Place(address=str(path), options=options))
    device.load(build.program, build.folder)
    return device


def events(run_file, names):
    """All spikes of some populations as rows."""
    rows = []
    with np.load(run_file) as file:
        for name in names:
            spikes = file[f"{name}/spikes"]
            flat = spikes.reshape(*spikes.shape[:2], -1)
            rows += [(s, t, name, n, int(flat[s, t, n])) for s, t, n in np.argwhere(flat).tolist()]
    return rows


def told_of(build, data, path, **asked):
    return validate(build, data, "file", place=Place(address=str(path)), asked=Asked(**asked))


def test_a_run_file_of_the_simulator_is_equal_with_all_states(build, data, run_file):
    told = told_of(build, data, run_file, batch=3)
    assert told["divergence"] is None
    assert all(set(row["states"]) == {"u", "v"} for row in told["populations"])


def test_what_validate_writes_validates(build, data, run_file, tmp_path):
    first = told_of(build, data, run_file, output=tmp_path / "again.npz")
    again = told_of(build, data, tmp_path / "again.npz")
    assert {**again, "address": first["address"]} == first


def test_one_spike_that_was_taken_out_is_found(build, data, run_file, tmp_path):
    arrays = dict(np.load(run_file))
    sample, step, neuron = np.argwhere(arrays["lif3/spikes"])[5].tolist()
    arrays["lif3/spikes"][sample, step, neuron] = 0
    np.savez(tmp_path / "lost.npz", **arrays)
    first = told_of(build, data, tmp_path / "lost.npz")["divergence"]
    assert [first[k] for k in ("sample", "step", "population", "neuron")] == [
        sample, step, "lif3", neuron]
    assert first["explanations"][0]["rule"] == "lost spike"


@pytest.mark.parametrize("by_number", [False, True])
def test_lists_of_events_are_the_same_spikes(build, data, run_file, tmp_path, by_number):
    rows = events(run_file, ("lif1", "lif3"))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    if by_number:
        columns[2] = np.where(columns[2] == "lif1", 0, 2)
    np.savez(tmp_path / "events.npz", **dict(zip(
        ("sample", "step", "population", "neuron", "payload"), columns, strict=True)))
    told = told_of(build, data, tmp_path / "events.npz")
    assert told["divergence"] is None
    assert told["not_readable"] == ["lif2"]
    assert sum(row["spikes_device"] for row in told["populations"]) == len(rows)


@pytest.mark.parametrize("payload", [False, True])
def test_a_table_of_events_is_the_same_spikes(build, data, run_file, tmp_path, payload):
    head = ["neuron", "sample", "population", "step", *(["payload"] if payload else [])]
    with (tmp_path / "events.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        table.writerows([n, s, name, t, *([p] if payload else [])]
                        for s, t, name, n, p in events(run_file, ("lif2",)))
    told = told_of(build, data, tmp_path / "events.csv")
    assert told["divergence"] is None
    assert told["not_readable"] == ["lif1", "lif3"]


def test_samples_begin_where_the_option_says(build, data, run_file):
    device = loaded(run_file, build, **{"first-sample": "2"})
    sent = {"input": np.zeros((2, 20, 1), np.int32)}
    found = device.run(sent, {"lif3": ("spikes",)}, lambda steps: None)
    with np.load(run_file) as file:
        np.testing.assert_array_equal(found.variables["lif3"]["spikes"], file["lif3/spikes"][2:])
    with pytest.raises(NmcError, match=r"holds 4 samples of 20 steps, samples 4 to 6"):
        device.run(sent, {"lif3": ("spikes",)}, lambda steps: None)


@pytest.mark.parametrize("later", [{"lif1": 1, "lif2": 2, "lif3": 3}, {"lif1": -1, "lif2": 0}])
def test_a_recording_on_another_clock_is_told_as_one(build, data, run_file, tmp_path, later):
    arrays = {}
    with np.load(run_file) as file:
        for name, steps in later.items():
            spikes = np.roll(file[f"{name}/spikes"], steps, axis=1)
            spikes[:, slice(0, steps) if steps >= 0 else slice(steps, None)] = 0
            arrays[f"{name}/spikes"] = spikes
    np.savez(tmp_path / "late.npz", **arrays)
    first = told_of(build, data, tmp_path / "late.npz")["divergence"]
    assert first["shifts"] == later
    assert first["explanations"] == []


def test_a_recording_of_states_alone_has_no_figures_of_spikes(build, data, run_file, tmp_path):
    with np.load(run_file) as file:
        np.savez(tmp_path / "states.npz", **{"lif2/v": file["lif2/v"]})
    (row,) = told_of(build, data, tmp_path / "states.npz")["populations"]
    assert row["states"]["v"]["differing"] == 0
    assert (row["spikes_device"], row["spikes_reference"], row["share"]) == (None, None, None)


def test_arrays_of_no_population_are_told_and_left_out(build, data, run_file, tmp_path):
    with np.load(run_file) as file:
        np.savez(tmp_path / "more.npz", **{"lif3/spikes": file["lif3/spikes"], "lif9/spikes": [1],
                                           "lif3/w": [1]})
    with pytest.warns(UserWarning, match="lif9/spikes, lif3/w is not looked at"):
        assert told_of(build, data, tmp_path / "more.npz")["divergence"] is None


@pytest.mark.filterwarnings("default:.*is not looked at")
def test_on_the_terminal_a_warning_is_one_line(digits, run_file, tmp_path, capsys, monkeypatch):
    with np.load(run_file) as file:
        np.savez(tmp_path / "more.npz", **{"lif3/spikes": file["lif3/spikes"], "lif9/v": [1]})
    result = run_nmc(capsys, monkeypatch, "validate", digits[0], "--device",
                     f"file:{tmp_path / 'more.npz'}", "--input", digits[1], "--samples", SAMPLES)
    assert result.err == (f"nmc: warning: {tmp_path / 'more.npz'}: lif9/v is not looked at: this "
                          "network has no such population or variable\n")
    assert f"device    file:{tmp_path / 'more.npz'}, against sim" in result.out


def test_a_recording_that_ends_early_is_refused_before_anything_runs(
    build, data, run_file, tmp_path
):
    rows = [(s, t, name, n) for s, t, name, n, _ in events(run_file, ("lif3",)) if s < 2]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    np.savez(tmp_path / "short.npz", **dict(zip(
        ("sample", "step", "population", "neuron"), columns, strict=True)))
    with pytest.raises(NmcError, match=r"last event in sample 1, samples 0 to 3 .*--samples 2"):
        told_of(build, data, tmp_path / "short.npz", batch=1)
    with np.load(run_file) as file:
        np.savez(tmp_path / "dense.npz", **{"lif3/spikes": file["lif3/spikes"][:2]})
    told = []
    with pytest.raises(NmcError, match="holds 2 samples of 20 steps"):
        validate(build, data, "file", place=Place(address=str(tmp_path / "dense.npz")),
                 asked=Asked(batch=1), progress=lambda *steps: told.append(steps))
    assert told == []
    with pytest.warns(UserWarning, match="events of samples 1 to 1 are not looked at"):
        told_of(build, DataFile(x=data.x[:1], y=None), tmp_path / "short.npz")


def test_spikes_that_are_listed_twice_are_told(build, tmp_path):
    (tmp_path / "twice.csv").write_text(table("0,1,lif3,1", "0,2,lif3,1", "0,1,2,1"))
    with pytest.warns(UserWarning, match="1 events repeat sample"):
        stored = read_csv(tmp_path / "twice.csv", build.program.network)
    assert stored.told == (2,)


def test_options_of_streams_are_refused_for_other_files(build, run_file):
    with pytest.raises(NmcError, match=r"step-us: is of no use for run.npz, only for .aedat4"):
        loaded(run_file, build, **{"step-us": "9"})


def test_measured_seconds_and_joules_are_taken_from_the_file(build, data, run_file, tmp_path):
    arrays = dict(np.load(run_file))
    del arrays["step_s"], arrays["decision"]  # those of the simulator
    np.savez(tmp_path / "lab.npz", **arrays, sample_s=np.full(SAMPLES, 0.25),
             energy_j=np.full(SAMPLES, 2e-3))
    told = told_of(build, data, tmp_path / "lab.npz")
    assert told["latency_s"]["measured"] == 0.25
    assert told["energy_j"]["measured"] == 2e-3
    assert told["boundary"] == "as recorded in lab.npz"


@pytest.mark.parametrize(("width", "measured"), [(19, None), (20, 0.2), (23, 0.23)])
def test_a_recording_has_seconds_of_each_step_and_perhaps_of_more_that_the_chip_ran(
    build, data, run_file, tmp_path, width, measured
):
    arrays = dict(np.load(run_file))
    del arrays["decision"]
    arrays["step_s"] = np.full((SAMPLES, width), 0.01)
    np.savez(tmp_path / "lab.npz", **arrays)
    if measured is None:
        with pytest.raises(NmcError, match=r"gave step_s of shape \(3, 19\) .* \(3, 20\)"):
            told_of(build, data, tmp_path / "lab.npz", batch=3)
        return
    told = told_of(build, data, tmp_path / "lab.npz", batch=3)
    assert told["latency_s"]["measured"] == pytest.approx(measured)


def test_aedat4_events_are_spikes_of_the_steps_that_they_fall_in(build):
    device = loaded(AEDAT4, build, **{"step-us": "1000", "start-us": "1000000"})
    assert device.readable() == {"lif3": ("spikes",)}
    found = device.run({"input": np.zeros((2, 20, 1), np.int32)}, device.readable(),
                       lambda steps: None).variables["lif3"]["spikes"]
    rng = np.random.default_rng(3)  # as the file was made
    stamps = np.sort(rng.integers(0, 3 * 20 * 1000, 400))
    wanted = np.zeros((60, 10), np.int32)
    np.add.at(wanted, (stamps // 1000, rng.integers(0, 10, 400)), 1)
    np.testing.assert_array_equal(found.reshape(40, 10), wanted[:40])
    assert found.sum() > 200


@pytest.mark.parametrize(("options", "said"), [
    ({}, "step-us: is ''"), ({"step-us": "0"}, "from 1"), ({"step-us": "1e3"}, "is '1e3'"),
    ({"step-us": "9", "population": "lif1"}, "10 x 1 pixels, lif1 has 1,024"),
    ({"step-us": "9", "population": "lif9"}, "Did you mean"),
    ({"step-us": "9", "start-us": "2000000"}, "before start-us"),
])
def test_what_an_aedat4_file_cannot_be_is_said(build, options, said):
    with pytest.raises(NmcError, match=said):
        loaded(AEDAT4, build, **options)


@settings(max_examples=12, deadline=None)  # each reads in a process of its own
@given(st.data())
def test_a_damaged_aedat4_file_is_an_error_or_other_events_never_a_crash(digits, tmp_path_factory,
                                                                       data):
    raw = bytearray(AEDAT4.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bad") / "bad.aedat4"
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    with suppress(NmcError):
        loaded(path, nmc.read_build(digits[0]), **{"step-us": "1000"})


def table(*rows, head="sample,step,population,neuron"):
    return "\n".join([head, *rows]) + "\n"


@pytest.mark.parametrize(("text", "said"), [
    ("", "has the columns none"),
    ("sample;step\n", "has the columns sample;step"),
    (table(head="sample,step,population,neuron,colour"), "expected sample, step"),
    (table(head="sample,step,population,neuron,step"), "has the columns"),
    (table(), "holds no event"),
    (table("0,1,lif1"), "line 2: neuron is ''"),
    (table("0,1,lif9,3"), "population is 'lif9', expected one of lif1, lif2, lif3, or its number"),
    (table("0,1,lif1,1024"), "names neuron 1024 of lif1, which has 1,024"),
    (table("0,1,lif1,-1"), "names neuron -1"),
    (table("-1,1,lif1,1"), "holds sample -1"),
    (table("0,1.5,lif1,1"), "step is '1.5', expected a whole number"),
    (table("0,99999999999,lif1,1"), "expected a whole number"),
    (table('0,1,"lif1,1'), "is no readable table"),
    (table("0,1,lif1," + "1" * 5000), "longer than 4,096 characters"),
    (table("0,1,\x1b[31mred\n,1"), r"population is '\\x1b\[31mred'"),
])
def test_a_table_that_cannot_be_read_is_refused_by_line(build, tmp_path, text, said):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(NmcError, match=said) as error:
        read_csv(tmp_path / "bad.csv", build.program.network)
    assert str(error.value).isprintable()


def test_an_event_beyond_the_steps_is_told(build, tmp_path):
    (tmp_path / "late.csv").write_text(table("0,1,lif3,1", "1,20,lif3,1"))
    stored = read_csv(tmp_path / "late.csv", build.program.network)
    with pytest.raises(NmcError, match=r"step 20 of sample 1, the input has 20 steps"):
        stored.recording(0, 2, 20, {"lif3": ("spikes",)})


FIELDS = {"sample": [0], "step": [0], "population": ["lif1"], "neuron": [0]}


@pytest.mark.parametrize(("arrays", "said"), [
    ({"lif1/spikes": np.zeros((2, 20, 7), int)}, r"expected \(samples, steps, 16, 8, 8\)"),
    ({"lif1/spikes": np.zeros((2, 20, 1024)), "lif2/v": np.zeros((2, 21, 512))}, "21.*others have"),
    ({"lif1/spikes": np.full((1, 2, 1024), 0.5)}, "no whole numbers"),
    ({"lif1/spikes": np.full((1, 2, 1024), np.nan)}, "no whole numbers"),
    ({"lif1/spikes": np.full((1, 2, 1024), 2**40)}, "beyond 32 bits"),
    ({"lif1/spikes": np.full((1, 2, 1024), "1")}, "no whole numbers"),
    ({"lif9/spikes": np.zeros((1, 2, 10))}, "tells of no population"),
    ({"lif3/spikes": np.zeros((1, 2, 10)), "sample_s": [-1.0]}, "0 or more"),
    ({"lif3/spikes": np.zeros((1, 2, 10)), "energy_j": [np.inf]}, "finite"),
    ({"lif3/spikes": np.zeros((1, 2, 10)), "step_s": np.zeros(3)}, "has shape"),
    ({"step": [0]}, "lacks sample, population, neuron"),
    ({**FIELDS, "step": [0, 1]}, "has shape"),
    ({**FIELDS, "neuron": [0.5]}, "expected whole numbers"),
    ({**FIELDS, "population": ["lif0"]}, "none of lif1, lif2, lif3"),
    ({**FIELDS, "population": [7]}, "none of lif1, lif2, lif3"),
])
def test_arrays_that_are_no_recording_are_refused(build, tmp_path, arrays, said):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(NmcError, match=said):
        loaded(tmp_path / "bad.npz", build)


def test_objects_and_claims_of_size_in_an_archive_are_refused(build, tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, **{"lif3/spikes": np.array([[[print]]], object)})
    with pytest.raises(NmcError, match="holds object"):
        read_arrays(path, build.program.network)
    path.write_bytes(b"PK\x03\x04" + b"\0" * 40)
    with pytest.raises(NmcError, match="damaged"):
        read_arrays(path, build.program.network)
    path.write_bytes(b"GIF89a")
    with pytest.raises(NmcError, match=r"is no .npz file"):
        read_arrays(path, build.program.network)


@pytest.mark.filterwarnings("ignore:.*events repeat")
def test_payloads_that_sum_beyond_32_bits_are_refused(build, tmp_path):
    path = tmp_path / "events.npz"
    arrays = {k: np.repeat(v, 2) for k, v in FIELDS.items()} | {"payload": np.full(2, 2**31 - 1)}
    stored = read_events(path, arrays, build.program.network)
    with pytest.raises(NmcError, match="leave 32 bits"):
        stored.recording(0, 1, 1, {"lif1": ("spikes",)})


@pytest.mark.parametrize("text", [
    "\ufeff" + table("0,1,lif3,1"), table("0,1,lif3,1") + "\n", table("0,1,lif3,1") + "\r\n\r\n"])
def test_a_mark_in_front_of_a_table_and_blank_lines_behind_it_do_no_harm(build, tmp_path, text):
    (tmp_path / "saved.csv").write_text(text, "utf-8", newline="")
    assert read_csv(tmp_path / "saved.csv", build.program.network).neuron.tolist() == [1]


def test_columns_that_the_head_does_not_name_are_refused(build, tmp_path):
    (tmp_path / "wide.csv").write_text(table("0,1,lif3,1", "0,1,lif3,1,9"))
    with pytest.raises(NmcError, match="line 3 has 5 columns, the head has 4"):
        read_csv(tmp_path / "wide.csv", build.program.network)


def test_of_a_line_without_an_end_no_more_is_read_than_a_line_may_have(build, tmp_path):
    with (tmp_path / "endless.csv").open("wb") as file:
        file.truncate(1 << 31)  # a hole on the disk
    tracemalloc.start()
    with pytest.raises(NmcError, match="longer than 4,096 characters"):
        read_csv(tmp_path / "endless.csv", build.program.network)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_a_table_takes_little_more_memory_than_its_numbers(build, tmp_path):
    rows = 50_000
    (tmp_path / "long.csv").write_text(table(*(
        f"{1000 + i % 900},{i % 997 + 300},lif1,{i % 1024}" for i in range(rows))))
    tracemalloc.start()
    found = read_csv(tmp_path / "long.csv", build.program.network)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.step) == rows
    assert most < 100 * rows  # five numbers of 8 bytes, and what looking them over takes


def test_a_table_beyond_what_is_read_is_refused_with_its_size(build, tmp_path):
    with (tmp_path / "huge.csv").open("wb") as file:
        file.write(table("0,1,lif3,1").encode())
        file.truncate((4 << 30) + 1)  # a hole on the disk
    with pytest.raises(NmcError, match="holds 4,294,967,297 bytes, at most 4,294,967,296"):
        read_csv(tmp_path / "huge.csv", build.program.network)


def test_a_table_of_too_many_lines_is_refused_at_the_first_of_them(build, tmp_path, monkeypatch):
    monkeypatch.setattr("nmcompile.devices.event_files.MOST_EVENTS", 3)
    (tmp_path / "many.csv").write_text(table(*["0,1,lif3,1"] * 3))
    with pytest.raises(NmcError, match=r"line 4 is longer than .* or one of more than 3"):
        read_csv(tmp_path / "many.csv", build.program.network)
