"""What a run keeps: named as the user says, in memory and in a file alike."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.run_file import ALWAYS, require_run_file
from nmcompile.simulator import Exit, Modes, RecordFile, simulate
from nmcompile.simulator.records import wanted


@pytest.fixture(scope="module")
def net():
    return relayed(0)


def test_a_variable_alone_is_that_of_every_population_that_has_it(net):
    assert wanted(net, ("u",)) == {name: ("u",) for name in ("a", "b", "out")}
    assert wanted(net, ("spikes",)) == {n: ("spikes",) for n in ("a", "sum", "b", "again", "out")}


def test_a_population_goes_before_a_colon_and_holds_up_to_the_next_one(net):
    assert wanted(net, ("a:v,u,out:spikes",)) == {"a": ("v", "u"), "out": ("spikes",)}
    assert wanted(net, ("a:v", "u")) == {"a": ("v", "u"), "b": ("u",), "out": ("u",)}
    assert wanted(net, ("sum:*", "a:v,a:v")) == {"sum": ("spikes", "v"), "a": ("v",)}
    assert wanted(net, ()) == {}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("w", "--record: 'w' is not known. Known: spikes, u, v."),
        ("aa:v", "--record: 'aa' is not known. Did you mean 'a'? Known: a, again, b, out, sum."),
        ("sum:u", "--record sum: 'u' is not known. Known: spikes, v."),
    ],
)
def test_an_unknown_name_is_refused_with_what_there_is(net, record, message):
    with pytest.raises(NmcError) as error:
        wanted(net, (record,))
    assert str(error.value) == message


@pytest.mark.parametrize("chunk", [1, 200, 1 << 20])
@pytest.mark.parametrize("exit_at", [None, Exit(confidence=0.5)])
def test_a_file_that_is_written_as_the_run_goes_on_holds_what_memory_would(
        net, tmp_path, monkeypatch, chunk, exit_at):
    monkeypatch.setattr("nmcompile.simulator.records.CHUNK", chunk)
    monkeypatch.setattr("nmcompile.simulator.run.BATCH", 3)
    made = program(net, cut=2)
    sent = payloads(net, 20, np.random.default_rng(0), samples=5)
    kept = simulate(made, sent, record=("*",), modes=Modes(exit_at=exit_at)).records
    records = RecordFile(tmp_path / "run.h5")
    simulate(made, sent, record=("*",), modes=Modes(exit_at=exit_at, records=records))
    records.close({})
    with h5py.File(tmp_path / "run.h5") as file:
        found = {name: set(group) for name, group in file.items()}
        assert found == {name: set(variables) for name, variables in kept.items()}
        for name, variables in kept.items():
            for variable, values in variables.items():
                np.testing.assert_array_equal(file[name][variable][()], values)
                assert file[name][variable].dtype == values.dtype


def test_the_same_run_gives_the_same_bytes(net, tmp_path):
    made, sent = program(net), payloads(net, 9, np.random.default_rng(0), samples=2)
    for name in ("a.h5", "b.h5"):
        records = RecordFile(tmp_path / name)
        simulate(made, sent, record=("*",), modes=Modes(records=records))
        records.close({"step_s": np.zeros(3)})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_more_than_memory_should_hold_is_refused_with_what_to_do(net, monkeypatch):
    monkeypatch.setattr("nmcompile.simulator.records.MOST_IN_MEMORY", 1 << 10)
    with pytest.raises(NmcError, match=r"Name a file -o RUN\.h5, which is written as"):
        simulate(program(net), payloads(net, 9, np.random.default_rng(0)), record=("v",))


@settings(deadline=None)
@given(names=st.lists(st.text("abuv/.", min_size=1, max_size=4) | st.sampled_from(
    [*ALWAYS, "decision/x", "/decision", "a", "a/v", "a/spikes/b"]), min_size=5, max_size=5,
    unique=True))
@example(names=["decision", "a", "b", "c", "d"])
@example(names=["a", "/", "b", "aa", "u/."])
def test_populations_whose_names_have_no_place_in_a_file_are_refused_before_the_run(
        net, tmp_path_factory, names):
    populations = [replace(p, name=name) for p, name in zip(net.populations, names, strict=True)]
    named, path = replace(net, populations=tuple(populations)), tmp_path_factory.mktemp("h")
    require_run_file(path / "run.npz", named, ("*",))
    try:
        require_run_file(path / "run.h5", named, ("*",))
        refused = False
    except NmcError as error:
        refused = str(error).startswith(f"{path}/run.h5: has no place for '")
    records = RecordFile(path / "run.h5")
    try:
        records.open(named, wanted(named, ("*",)), samples=1, steps=1)
        records.close({name: np.zeros(1) for name in ALWAYS})
        failed = False
    except (ValueError, TypeError):
        failed = True
    finally:
        records.close({})
    dots = any("." in name.split("/") for name in names)  # HDF5 takes them in some places only
    assert (refused and dots) or refused == failed


def test_a_population_that_is_not_kept_may_have_any_name(net, tmp_path):
    first, *others = net.populations
    named = replace(net, populations=(replace(first, name="step_s"), *others))
    require_run_file(tmp_path / "run.h5", named, ("out:*",))
    with pytest.raises(NmcError) as error:
        require_run_file(tmp_path / "run.h5", named, ("spikes",))
    assert str(error.value) == (
        f"{tmp_path}/run.h5: has no place for 'step_s/spikes' beside 'step_s'. "
        "Name a file -o RUN.npz, or another population.")
