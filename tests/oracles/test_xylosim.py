"""Any network gives the integers of SynSense's XyloSim, in the reference and mapped.

NMC_XYLO_PYTHON names the interpreter that `tools/oracles/make_env.py xylo DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from helpers.models_xylo import counted_spikes, rockpool_net
from helpers.random_xylo import Specification, network_of, program_of, random_specification
from nmcompile_backends.xylo.arithmetic import XyloNeuron
from nmcompile_backends.xylo.emit import FILE, emit

import nmcompile as nmc
from nmcompile.ir import Network, run, verify
from nmcompile.passes.quantize import payloads
from nmcompile.simulator import simulate
from nmcompile.stages import Compiled

PYTHON = os.environ.get("NMC_XYLO_PYTHON")
RUNNER = Path(__file__).parents[2] / "tools" / "oracles" / "xylo_run.py"
NETWORKS = 240
VARIABLES = {  # ours -> XyloSim's
    ("hidden", "u"): "Isyn", ("hidden", "u2"): "Isyn2", ("hidden", "v"): "Vmem",
    ("hidden", "spikes"): "Spikes", ("out", "u"): "Isyn_out", ("out", "v"): "Vmem_out",
    ("out", "spikes"): "Spikes_out",
}
Records = dict[str, dict[str, np.ndarray]]
pytestmark = [
    pytest.mark.xylo,
    pytest.mark.skipif(PYTHON is None, reason="NMC_XYLO_PYTHON names no Python with xylosim"),
]


class Summing(XyloNeuron):
    """Takes what arrives as one sum, as if additions saturated only then."""

    accumulator = None


def summing(net: Network) -> Network:
    return replace(net, populations=tuple(
        replace(p, neuron=Summing(**{f.name: getattr(p.neuron, f.name) for f in fields(p.neuron)}))
        for p in net.populations))


def simulated(networks: list[Specification], folder: Path) -> dict[str, np.ndarray]:
    """`i/VARIABLE` of every network, as XyloSim records it."""
    np.savez(folder / "networks.npz",
             **{f"{i}/{k}": v for i, spec in enumerate(networks) for k, v in spec.items()})
    command = [PYTHON, RUNNER, folder / "networks.npz", folder / "results.npz"]
    subprocess.run(command, check=True, timeout=300)
    return dict(np.load(folder / "results.npz"))


def differing(ours: Records, theirs: dict[str, np.ndarray], number: int) -> list[str]:
    """Variables of a network that are not XyloSim's; the IMU has no second synapse."""
    return [f"{number}/{name}" for (population, variable), name in VARIABLES.items()
            if f"{number}/{name}" in theirs
            and not np.array_equal(ours[population][variable][0], theirs[f"{number}/{name}"])]


def test_any_network_gives_xylosims_states_and_spikes_saturated_or_not(tmp_path: Path) -> None:
    networks = [random_specification(seed) for seed in range(NETWORKS)]
    found = simulated(networks, tmp_path)
    assert sum(key.endswith("/Isyn2") for key in found) == sum(
        str(spec["chip"]) == "a2" for spec in networks)
    by_order = 0
    for i, spec in enumerate(networks):
        net, sent = verify(network_of(spec)), {"in": spec["input"][None].astype(np.int32)}
        assert differing(run(net, sent).records, found, i) == []
        mapped = simulate(program_of(spec), sent, record=("spikes", "u", "u2", "v"))
        assert differing(mapped.records, found, i) == []
        if i % 4 == 0:
            by_order += differing(run(summing(net), sent).records, found, i) != []
    copied = [bool((spec["alias"] >= 0).any()) for spec in networks]
    biased = [bool(spec["bias"].any()) for spec in networks]
    several = [bool((found[f"{i}/Spikes"] > 1).any()) for i in range(NETWORKS)]
    assert by_order > NETWORKS // 8  # half of those that were tried
    assert min(sum(copied), sum(biased), sum(several)) > NETWORKS // 4


def emitted(compiled: Compiled, folder: Path, sent: np.ndarray) -> Specification:
    """The emitted specification as the runner takes it, with one sample of spikes."""
    folder.mkdir()
    emit(compiled.program, folder)
    arrays = {k: np.array(v) for k, v in json.loads((folder / FILE).read_text()).items()}
    chip = "a2" if compiled.program.target.name == "xylo_a2" else "imu"
    return arrays | {"chip": np.array(chip), "input": sent, "alias": np.full(44, -1)}


def test_a_compiled_rockpool_network_fires_on_xylosim_as_in_the_simulator(tmp_path: Path) -> None:
    runs, given, sample = [], [], counted_spikes(4)
    for target in ("xylo_a2", "xylo_a3", "xylo_imu"):
        for seed in range(4):
            compiled = nmc.compile(rockpool_net(seed, bool(seed % 2)), target=target, sample=sample)
            (port,) = compiled.program.network.inputs
            sent = payloads(port, sample)
            runs.append((compiled, simulate(compiled.program, {port.name: sent},
                                            record=("spikes", "v"))))
            given.append(emitted(compiled, tmp_path / f"{target}-{seed}", sent[3]))
    found = simulated(given, tmp_path)
    for i, (compiled, result) in enumerate(runs):
        hidden = np.split(found[f"{i}/Spikes"], [24], axis=1), np.split(found[f"{i}/Vmem"], [24], 1)
        out = found[f"{i}/Spikes_out"], found[f"{i}/Vmem_out"]
        layers = [*zip(*hidden, strict=True), out]
        for lag, (population, theirs) in enumerate(
                zip(compiled.program.network.populations, layers, strict=True)):
            ours = result.records[population.name]
            assert ours["spikes"][3].any()
            for variable, values in zip(("spikes", "v"), theirs, strict=True):
                np.testing.assert_array_equal(
                    ours[variable][3][: len(values) - lag], values[lag:])
