"""A program survives its file, byte for byte, and a damaged file is refused."""

import h5py
import numpy as np
import pytest
from helpers.networks import conv_network, small_target, spikes

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapping.files import load_program, program_family, save_program
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.simulator import simulate


@pytest.fixture(scope="module")
def program():
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, small_target(neurons=40)).program


def test_a_program_loads_back_equal(program, tmp_path):
    save_program(program, tmp_path / "a.h5")
    loaded = load_program(tmp_path / "a.h5", backend("loihi").neurons)
    save_program(loaded, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert program_family(tmp_path / "a.h5") == "loihi"
    inputs = {"input": spikes(program.network)["input"].astype(np.int32)}
    before, after = simulate(program, inputs), simulate(loaded, inputs)
    np.testing.assert_array_equal(before.scores["output"], after.scores["output"])
    np.testing.assert_array_equal(before.step_s, after.step_s)


def test_the_same_compilation_gives_the_same_bytes(program, tmp_path):
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    again = compile_stage(traced, small_target(neurons=40)).program
    save_program(program, tmp_path / "a.h5")
    save_program(again, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_program_cannot_bring_code_into_scripts_by_the_sign_of_its_weights(program, tmp_path):
    path = tmp_path / "a.h5"
    save_program(program, path)
    with h5py.File(path, "a") as file:
        file["network/projections/0/format"].attrs["sign"] = '"MIXED, x=print()"'
    with pytest.raises(NmcError, match=r"'MIXED, x=print\(\)' is no sign of weights"):
        load_program(path, backend("loihi").neurons)


def test_a_group_is_no_number(program, tmp_path):
    path = tmp_path / "a.h5"
    save_program(program, path)
    with h5py.File(path, "a", track_order=True) as file:
        stored = file["network/projections/0/format"]
        del stored.attrs["exponent"]
        file.copy("network/inputs/0", stored, name="exponent")
    with pytest.raises(NmcError, match=r"SynapseFormat\.exponent is a group"):
        load_program(path, backend("loihi").neurons)


@pytest.mark.parametrize("damage", ["cut", "text", "class", "format"])
def test_a_damaged_program_is_refused(program, tmp_path, damage):
    path = tmp_path / "a.h5"
    save_program(program, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "text":
        path.write_text("no program")
    else:
        with h5py.File(path, "a") as file:
            if damage == "class":
                file["network"].attrs[":class"] = "os.system"
            else:
                file.attrs["format"] = "nmcompile-program-0"
    with pytest.raises(NmcError, match="Compile the model again"):
        load_program(path, backend("loihi").neurons)


@pytest.mark.parametrize(("place", "value", "message"), [
    ("mapping/axons/0/slice", 10**6, "an index of its mapping lies outside 0..13"),
    ("mapping/axons/0/slice", -1, "an index of its mapping lies outside 0..13"),
    ("mapping/axons/3/order", 10**7, "an index of its mapping lies outside 0.."),
    ("mapping/axons/3/first", -5, "an index of its mapping lies outside 0.."),
    ("mapping/axons/1/start", 10**6, "its axons are not in the order of its sources"),
    ("mapping/slices/high", 10**4, "its slices do not hold each neuron once"),
    ("mapping/slices/low", -3, "a slice is empty or begins outside its population"),
    ("mapping/slices/core", 10**6, "an index of its mapping lies outside 0..1023"),
    ("network/projections/3/map/target", 10**6, "a synapse targets a neuron outside 0..4"),
    ("network/populations/0/neuron/threshold", -1, "threshold spans"),
])
def test_a_tampered_program_is_refused_before_a_kernel_indexes_with_it(
        program, tmp_path, place, value, message):
    path = tmp_path / "a.h5"
    save_program(program, path)
    with h5py.File(path, "a") as file:
        values = np.asarray(file[place][()])
        values.reshape(-1)[values.size // 2] = value
        file[place][...] = values
    with pytest.raises(NmcError) as error:
        load_program(path, backend("loihi").neurons)
    assert message in str(error.value)
