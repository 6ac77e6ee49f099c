"""The devices lava and xylosim run what was compiled as the simulator does, states and all.

NMC_LAVA_PYTHON and NMC_XYLO_PYTHON name the interpreters that `tools/oracles/make_env.py` made.
"""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.compiled_networks import trained_conv
from helpers.loihi_programs import payloads, program, telling
from helpers.models_xylo import counted_spikes, rockpool_net
from helpers.random_microcode import adapting, resonating
from nmcompile_backends.loihi.emit import emit
from nmcompile_backends.loihi.lava_device import TOOL, LavaDevice

import nmcompile as nmc
from nmcompile.api import Asked, DataFile
from nmcompile.device import Place
from nmcompile.devices.other_python import run_there
from nmcompile.errors import DeviceLostError, NmcError
from nmcompile.simulator import simulate


def needs(tool, variable):
    """A mark for tests that need a vendor's tool in an interpreter of its own."""
    missing = pytest.mark.skipif(variable not in os.environ, reason=f"{variable} names no Python")
    return lambda test: getattr(pytest.mark, tool)(missing(test))


lava, xylo = needs("lava", "NMC_LAVA_PYTHON"), needs("xylo", "NMC_XYLO_PYTHON")


def validated(model, target, spikes, device, folder):
    compiled = nmc.compile(model, target=target, sample=spikes)
    build = nmc.write_build(compiled, folder, {})
    return build, nmc.validate(build, DataFile(x=spikes, y=None), device, asked=Asked(batch=2))


def require_equal(told, variables):
    rows = told["populations"]
    assert told["divergence"] is None
    assert told["not_readable"] == []
    assert all(row["spikes_device"] > 0 and set(row["states"]) == variables for row in rows)


@lava
def test_a_convolutional_network_on_lava_is_what_was_compiled(tmp_path):
    model, spikes = trained_conv()
    _, told = validated(model, "loihi2", spikes[:3], "lava", tmp_path / "build")
    require_equal(told, {"u", "v"})


@lava
def test_what_the_lava_script_writes_is_validated_as_it_is(tmp_path):
    model, spikes = trained_conv()
    compiled = nmc.compile(model, target="loihi2", sample=spikes)
    build = nmc.write_build(compiled, tmp_path / "build", {})
    np.savez(tmp_path / "test.npz", x=spikes[:2], y=[0, 1])
    subprocess.run([os.environ["NMC_LAVA_PYTHON"], build.folder / "config" / "lava_model.py",
                    "test.npz", "out.npz"], cwd=tmp_path, check=True, timeout=200)
    told = nmc.validate(build, DataFile(x=spikes[:2], y=None), "file",
                        place=Place(address=str(tmp_path / "out.npz")))
    require_equal(told, {"v"})
    assert max(compiled.program.latency.values()) > 1


@lava
def test_a_weight_changed_in_lavas_arrays_is_found_and_named(tmp_path):
    model, spikes = trained_conv()
    build, _ = validated(model, "loihi2", spikes[:2], "sim", tmp_path / "build")
    path = build.folder / "config" / "arrays.npz"
    arrays = dict(np.load(path))
    name = next(k for k in arrays if k.startswith("synapse2") and "weights" in k)
    arrays[name][4, 77] += 40
    np.savez(path, **arrays)
    first = nmc.validate(build, DataFile(x=spikes[:4], y=None), "lava")["divergence"]
    best = first["explanations"][0]
    assert (first["population"], first["neuron"], best["rule"]) == ("lif3", 4, "weight")
    assert (best["place"]["source"], best["place"]["found"] - best["place"]["compiled"]) == (77, 40)


def test_a_script_changed_in_a_build_is_refused_and_does_not_run(tmp_path):
    chip = program(telling(1))
    emit(chip, tmp_path)
    path, mark = tmp_path / "lava_model.py", tmp_path / "ran"
    path.write_text(f"open({str(mark)!r}, 'w').close()\n" + path.read_text())
    with pytest.raises(NmcError) as error:
        LavaDevice().load(chip, tmp_path)
    assert str(error.value) == (f"{path}: is not the script of this program, and is not run. "
                                "Compile the model again.")
    assert not mark.exists()


@lava
def test_what_runs_is_what_was_loaded_whatever_becomes_of_the_folder(tmp_path):
    net = telling(1)
    chip = program(net)
    emit(chip, tmp_path)
    device = LavaDevice()
    device.open(Place())
    device.load(chip, tmp_path)
    for file in tmp_path.iterdir():
        file.write_text("raise SystemExit('of another script')")
    sent = payloads(net, 12, np.random.default_rng(1), samples=1)
    wanted = {p.name: ("spikes",) for p in chip.network.populations}
    found = device.run(sent, wanted, lambda steps: None).variables
    device.close()
    ours = simulate(chip, sent, record=wanted).records
    for name in wanted:
        np.testing.assert_array_equal(found[name]["spikes"], ours[name]["spikes"])


@lava
@pytest.mark.parametrize(("made", "seed"), [(telling, 1), (adapting, 0), (resonating, 3)])
def test_lavas_other_neurons_give_the_states_that_they_keep(tmp_path, made, seed):
    net = made(seed)
    chip = program(replace(net))
    emit(chip, tmp_path)
    sent = payloads(net, 12, np.random.default_rng(seed), samples=2)
    device = LavaDevice()
    device.open(Place())
    device.load(chip, tmp_path)
    wanted = device.readable()
    found = device.run(sent, wanted, lambda steps: None).variables
    device.close()
    ours = simulate(chip, sent, record=wanted).records
    for name, variables in wanted.items():
        for variable in variables:
            np.testing.assert_array_equal(found[name][variable], ours[name][variable])
    assert sum(len(v) for v in wanted.values()) >= 3


@xylo
@pytest.mark.parametrize("target", ["xylo_a2", "xylo_a3", "xylo_imu"])
def test_a_recurrent_network_on_xylosim_is_what_was_compiled(tmp_path, target):
    _, told = validated(rockpool_net(1, True), target, counted_spikes(4), "xylosim",
                        tmp_path / "build")
    require_equal(told, {"u", "v"})


@xylo
def test_a_decay_changed_in_xylos_file_is_found_and_named(tmp_path):
    build, _ = validated(rockpool_net(2), "xylo_a3", counted_spikes(4), "sim", tmp_path / "build")
    path = build.folder / "config" / "xylo.json"
    text = path.read_text()
    dash = text[text.index('"dash_mem_out":['):].split("]")[0]
    values = [int(v) for v in dash.split("[")[1].split(",")]
    path.write_text(text.replace(dash, '"dash_mem_out":[' + ",".join(str(v + 1) for v in values)))
    first = nmc.validate(build, DataFile(x=counted_spikes(4), y=None), "xylosim")["divergence"]
    assert first["population"] == "layer_5_LIFTorch"
    assert first["explanations"][0]["rule"] == "decay"
    assert first["explanations"][0]["differing"] == 0


@lava
def test_a_lava_that_fails_or_is_killed_says_so(tmp_path):
    python, runner = Path(os.environ["NMC_LAVA_PYTHON"]), tmp_path / "runner.py"
    runner.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(DeviceLostError, match="ended by signal 9"):
        run_there(TOOL, python, runner, [], lambda: None)
    runner.write_text("raise ValueError('no such thing')")
    with pytest.raises(NmcError, match="failed: ValueError: no such thing"):
        run_there(TOOL, python, runner, [], lambda: None)


def test_a_device_refuses_the_program_of_another_chip(tmp_path):
    torch.manual_seed(0)
    compiled = nmc.compile(rockpool_net(0), target="xylo_a3", sample=counted_spikes(2))
    with pytest.raises(NmcError, match="this one is for xylo_a3"):
        LavaDevice().load(compiled.program, tmp_path)
