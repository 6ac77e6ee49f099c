"""A program survives its file, byte for byte, and a damaged file is refused."""

import h5py
import numpy as np
import pytest
from helpers.networks import conv_network, small_target, spikes

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapping.files import load_program, program_family, save_program
from nmcompile.pipeline import compile_traced
from nmcompile.registry import backend
from nmcompile.simulator import simulate


@pytest.fixture(scope="module")
def program():
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_traced(traced, small_target(neurons=40)).program


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
    again = compile_traced(traced, small_target(neurons=40)).program
    save_program(program, tmp_path / "a.h5")
    save_program(again, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


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
