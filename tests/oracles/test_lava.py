"""The emitted Lava script, run by lava-nc, gives the reference's spikes and states.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made. A few
networks go through Lava's runtime as a user starts it; all others through the same process models
stepped in one interpreter (tools/oracles/lava_step.py), where every state can be seen.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    parted,
    payloads,
    port,
    projection,
    relayed,
    telling,
    weights,
)
from helpers.random_lif import LIMIT, lif_network
from helpers.random_loihi import calm, random_network
from helpers.random_microcode import adapting, resonating
from helpers.random_soft_reset import subtracting
from nmcompile_backends.loihi.lava_script import write_lava

from nmcompile.ir import Network, Population, run

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
STEPPER = Path(__file__).parents[2] / "tools" / "oracles" / "lava_step.py"
STEPS = 20
LAVA_NAMES = {"u": ("u", "i"), "v": ("v", "act", "imag"), "re": ("real",)}
Sent = dict[str, np.ndarray]
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def write(net: Network, folder: Path, sent: Sent) -> str:
    """Write the script and its input; the name of the input's file."""
    folder.mkdir(exist_ok=True)
    write_lava(net, folder)
    given = folder / ("input.npy" if len(net.inputs) == 1 else "input.npz")
    np.save(given, sent["in"]) if len(sent) == 1 else np.savez(given, **sent)
    return given.name


def differing(net: Network, folder: Path, sent: Sent) -> tuple[int, int]:
    """Values of spikes and v that differ between Lava and the reference, and spikes in all."""
    command = [PYTHON, "lava_model.py", write(net, folder, sent), "output.npz"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    wanted, found = run(net, sent).records, np.load(folder / "output.npz")
    unequal = sum(int(np.count_nonzero(found[f"{name}/{k}"] != record[k]))
                  for name, record in wanted.items() for k in ("spikes", "v"))
    return unequal, sum(int(record["spikes"].sum()) for record in wanted.values())


def step_all(nets: list[Network], folder: Path, steps: int) -> tuple[list[str], Counter[str]]:
    """What differs in any step of any network, by name; and how often each edge was reached."""
    sent = [payloads(net, steps, np.random.default_rng(i)) for i, net in enumerate(nets)]
    for number, (net, values) in enumerate(zip(nets, sent, strict=True)):
        write(net, folder / str(number), values)
    folders = [str(folder / str(number)) for number in range(len(nets))]
    subprocess.run([PYTHON, str(STEPPER), *folders], check=True, timeout=300)
    unequal, reached = [], Counter[str]()
    for place, net, values in zip(folders, nets, sent, strict=True):
        found = np.load(Path(place) / "states.npz")
        for name, record in run(net, values).records.items():
            encodes = not getattr(net.population(name).neuron, "accumulates", True)
            unequal += [f"{place}/{name}/{k}" for k in record
                        if not (encodes and k == "sigma")  # Lava's Delta leaves it at 0
                        and not np.array_equal(lava_s(found, name, k), flat(record[k]))]
            reached += edges(record)
    return unequal, reached


def lava_s(found: Sent, population: str, name: str) -> np.ndarray:
    keys = [f"{population}/{name}" for name in LAVA_NAMES.get(name, (name,))]
    return next(found[key] for key in keys if key in found)


def flat(record: np.ndarray) -> np.ndarray:
    return record[0].reshape(len(record[0]), -1)


def edges(record: Sent) -> Counter[str]:
    """Spikes, membranes at their lower limit and currents that surely wrapped.

    No step brings more than 3 * 2**16 units of 64 (see `lif_network`). Above its upper limit a
    membrane fires at any threshold and is cleared.
    """
    jumps = np.abs(np.diff(record.get("u", np.zeros((1, 2))).astype(np.int64), axis=1))
    return Counter(spikes=np.count_nonzero(record["spikes"]),
                   bottom=np.count_nonzero(record["v"] == -LIMIT),
                   wraps=np.count_nonzero(jumps > 3 * 2**22))


@pytest.mark.slow
def test_lavas_lif_has_the_same_u_v_and_spikes_at_the_edges_of_every_register(
    tmp_path: Path,
) -> None:
    nets = [lif_network(seed) for seed in range(160)]
    unequal, reached = step_all(nets, tmp_path, steps=70)
    assert unequal == []
    assert min(reached[name] for name in ("spikes", "bottom", "wraps")) > 100
    scripts = [(tmp_path / str(i) / "lava_model.py").read_text() for i in range(160)]
    assert not any("class LoihiNeuron" in script for script in scripts)
    kinds = ("Conv(", "ShiftedConv(", "Dense(", "DelayDense(", "Sparse(", "DelaySparse(")
    assert all(sum(f"= {kind}" in script for script in scripts) > 10 for kind in kinds)


def test_networks_with_the_neurons_that_lava_lacks_have_the_same_states(tmp_path: Path) -> None:
    unequal, reached = step_all([calm(random_network(seed)) for seed in range(40)], tmp_path, STEPS)
    assert unequal == []
    assert reached["spikes"] > 1000


def test_compartments_and_synapses_that_reset_them_have_the_same_states(tmp_path: Path) -> None:
    unequal, reached = step_all([calm(subtracting(seed)) for seed in range(20)], tmp_path, 40)
    assert unequal == []
    assert reached["spikes"] > 1000


def test_lavas_sigma_delta_processes_have_the_same_states_and_messages(tmp_path: Path) -> None:
    unequal, reached = step_all([telling(seed) for seed in range(40)], tmp_path, steps=40)
    assert unequal == []
    assert reached["spikes"] > 10_000
    scripts = [(tmp_path / str(i) / "lava_model.py").read_text() for i in range(40)]
    assert sum("= Delta(" in script for script in scripts) == 20
    assert sum("= SigmaDelta(" in script for script in scripts) == 20


def test_lavas_resonators_have_the_same_states_and_spikes(tmp_path: Path) -> None:
    unequal, reached = step_all([resonating(seed) for seed in range(24)], tmp_path, steps=40)
    assert unequal == []
    assert reached["spikes"] > 1000
    scripts = [(tmp_path / str(i) / "lava_model.py").read_text() for i in range(24)]
    for kind in ("process=RF,", "process=RF_IZ,", "= LoihiResonator("):
        assert sum(kind in script for script in scripts) > 8


def test_lavas_adaptive_neurons_have_the_same_states_and_spikes(tmp_path: Path) -> None:
    unequal, reached = step_all([adapting(seed) for seed in range(24)], tmp_path, steps=40)
    assert unequal == []
    assert reached["spikes"] > 1000
    scripts = [(tmp_path / str(i) / "lava_model.py").read_text() for i in range(24)]
    for kind in ("= ATRLIF(", "= LoihiAdaptive("):
        assert sum(kind in script for script in scripts) > 5


def test_lava_s_runtime_runs_its_adaptive_neurons_the_same(tmp_path: Path) -> None:
    net = adapting(0)
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, np.random.default_rng(0)))
    assert unequal == 0
    assert spikes > 0
    assert "= ATRLIF(" in (tmp_path / "lava_model.py").read_text()


def test_lava_s_runtime_runs_its_resonators_the_same(tmp_path: Path) -> None:
    net = resonating(3)
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, np.random.default_rng(3)))
    assert unequal == 0
    assert spikes > 0


@pytest.mark.parametrize("seed", range(2))
def test_lava_s_runtime_gives_the_same_spikes_and_membranes(tmp_path: Path, seed: int) -> None:
    net = calm(random_network(seed))
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, np.random.default_rng(seed)))
    assert unequal == 0
    assert spikes > 0


def test_lava_s_runtime_runs_its_own_lif_the_same(tmp_path: Path) -> None:
    net = lif_network(5)
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, np.random.default_rng(0)))
    assert unequal == 0
    assert spikes > 0
    assert "class LoihiNeuron" not in (tmp_path / "lava_model.py").read_text()


def test_sums_beyond_16_bits_reach_the_neuron_whole(tmp_path: Path) -> None:
    layer = Population(name="a", shape=(1,), neuron=neuron(threshold=131071),
                       bias=np.zeros((), np.int32))
    net = network((port((8,), 9),), (layer,),
                  (projection("in", "a", dense(np.full((1, 8), 254, np.int16))),))
    sent = {"in": np.arange(-40, 40, 5).reshape(1, -1, 1).repeat(8, 2).astype(np.int32)}
    assert differing(net, tmp_path, sent)[0] == 0


@pytest.mark.parametrize(("made", "seed"), [(relayed, 0), (relayed, 1), (parted, 2)])
def test_lavas_graded_vector_sends_what_a_relay_sends(
    tmp_path: Path, made: Callable[[int], Network], seed: int
) -> None:
    net = made(seed)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    command = [PYTHON, "lava_model.py", write(net, tmp_path, sent), "output.npz"]
    assert "= GradedVec(" in (tmp_path / "lava_model.py").read_text()
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    wanted, found = run(net, sent).records, np.load(tmp_path / "output.npz")
    for population in net.populations:
        record = wanted[population.name]
        np.testing.assert_array_equal(found[f"{population.name}/spikes"], record["spikes"])
        if population.neuron.graded:  # Lava clears a relay's v
            assert f"{population.name}/v" not in found
        else:
            np.testing.assert_array_equal(found[f"{population.name}/v"], record["v"])
    relays = [p.name for p in net.populations if p.neuron.graded]
    assert np.abs(wanted[relays[-1]]["spikes"]).max() > 255
    assert wanted[net.populations[-1].name]["spikes"].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_lava_s_runtime_runs_its_sigma_delta_processes_the_same(tmp_path: Path, seed: int) -> None:
    net = telling(seed)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    assert differing(net, tmp_path, sent)[0] == 0
    messages = run(net, sent).records["a"]["spikes"]
    assert 10 < np.count_nonzero(messages) < messages.size
    assert (messages < 0).any()


def test_two_inputs_come_from_one_npz(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = Population(name="a", shape=(5,), neuron=neuron(), bias=np.zeros((), np.int32))
    net = network((port((4,), name="left"), port((3,), 9, name="right")), (layer,), (
        projection("left", "a", dense(weights(rng, (5, 4)))),
        projection("right", "a", dense(weights(rng, (5, 3))), delay=2)))
    unequal, spikes = differing(net, tmp_path, payloads(net, STEPS, rng))
    assert (unequal, spikes > 0) == (0, True)
