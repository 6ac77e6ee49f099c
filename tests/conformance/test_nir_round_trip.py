"""A network goes out as NIR and comes back as it was, or NIR has no words for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.conformance import Row
from helpers.conformance.parameters import rows
from helpers.conformance.rows import with_lively_weights

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.nir_export import write_graph
from nmcompile.frontends.nir_file import FRONTEND as NIR
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import Network, run
from nmcompile.ir.maps import Grid
from nmcompile.passes.convert import is_artificial

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries
UNSPEAKABLE = {
    "LeakyParallel, the constructor's own weights, some below 0": "NIR has no decay below 0",
    **{f"Conv2d, padding_mode={mode}": "NIR has no reshape" for mode in (
        "circular", "reflect", "replicate")},
    "IAF, tau_syn": "NIR has no neuron without leak",
    **{name: "NIR has no 'sigma-delta' neuron" for name in (
        "Sigma-delta Input, Conv, Dense, Output", "Sigma-delta, shared_param=False",
        "Sigma-delta, bias")},
    **{name: "NIR has no 'resonate-and-fire' neuron" for name in (
        "RF Dense", "RF Dense, MeanOnlyBatchNorm", "RF Dense, from states of -0.3 to 0.9",
        "RF Conv", "RF Dense, Izhikevich", "RF Dense, Izhikevich, shared_param=False")},
    **{f"ALIF {name}": "NIR has no 'atrlif' neuron" for name in (
        "Dense", "Dense, MeanOnlyBatchNorm, Dropout", "Dense, shared_param=False",
        "Dense, delays of 0 to 6 steps", "Dense, persistent_state",
        "Dense, from states of -0.3 to 0.9", "Recurrent")},
    "ALIF Conv, Pool, Flatten, Dense": "NIR has no 'atrlif' neuron",
    **{name: "NIR has no 'psn' neuron" for name in (
        "PSN of the past", "MaskedPSN, all steps", "MaskedPSN, one step a call",
        "SlidingPSN, all steps", "SlidingPSN, one step a call")},
    "ALIF": "NIR has no 'alif' neuron",
    "ALIF, from v_mem=0.2, b=0.1": "NIR has no 'alif' neuron",
    "ALIF, norm_input=False, MembraneReset": "NIR has no 'alif' neuron",
    "MaxPool2d, max_pool2d and max_pool1d of spikes": "NIR has no reshape",
    "MaxPool2d of graded spikes": "NIR has no reshape",
    "CUBA Input, Conv, Pool, Flatten": "NIR has no reshape",
    **{f"Alpha, {name}": "NIR has no 'alpha' neuron" for name in (
        "reset subtract", "reset zero", "reset none", "hidden states in a Sequential",
        "states passed by hand, from 0.3")},
}


def grids(network: Network) -> list[Grid]:
    """Of the weights that were trained as integers, by the population that they lead to."""
    maps = [link for p in sorted(network.projections, key=lambda p: p.target)
            for link in getattr(p.map, "maps", (p.map,))]
    return [link.grid for link in maps if getattr(link, "grid", None)]


@pytest.mark.parametrize("row", rows())
def test_a_network_comes_back_from_nir_as_it_was(row: Row, tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = with_lively_weights(row)
    steps = (row.steps,) if row.steps else ()
    sample = (np.random.default_rng(0).random((2, *steps, *row.shape)) < 0.4).astype(np.float32)
    traced = FRONTEND.load(Request(model=model, sample=sample))
    refusal = ("NIR has no 'activation' neuron" if is_artificial(traced.network)
               else UNSPEAKABLE.get(row.construct))
    if refusal:
        with pytest.raises(NmcError, match=refusal):
            write_graph(traced.network, tmp_path / "m.nir", 1e-4)
        return
    dt = traced.network.dt or 1e-4
    write_graph(traced.network, tmp_path / "m.nir", dt)
    back = NIR.load(Request(path=tmp_path / "m.nir")).network
    ((name, values),) = traced.inputs.items()
    wanted, found = run(traced.network, {name: values}).records, run(back, {name: values}).records
    assert set(found) == set(wanted)
    assert back.dt == dt
    assert [g.bits for g in grids(back)] == [g.bits for g in grids(traced.network)]
    assert all(np.allclose(a.step, b.step) for a, b in
               zip(grids(back), grids(traced.network), strict=True))
    assert [o.variable for o in back.outputs] == [o.variable for o in traced.network.outputs]
    for population, records in wanted.items():
        for variable, states in records.items():
            other = found[population][variable].reshape(states.shape)
            if variable == "spikes":
                assert np.array_equal(other, states), population
            else:
                assert np.abs(other - states).max() <= 1e-5 * max(1, np.abs(states).max())
