from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.nir_file import FRONTEND
from nmcompile.ir import Network, run
from nmcompile.ir.text import to_text

DATA = Path(__file__).parents[3] / "shared" / "data" / "nir"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the NIR paper's files are not here")


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def graph(nodes: dict[str, object], edges: list[tuple[str, str]], **metadata: object) -> object:
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata, type_check=False)


def network(model: object) -> Network:
    return FRONTEND.load(Request(model=model)).network


def lif(n: int = 2, **changes: object) -> nir.LIF:
    values = {"tau": 2e-3 * ones(n), "r": 20 * ones(n), "v_leak": 0 * ones(n),
              "v_threshold": ones(n), "v_reset": 0 * ones(n)}
    return nir.LIF(**{**values, **changes})


def chain(*middle: object, inputs: tuple[int, ...] = (3,), n: int = 2, **metadata: object) -> object:
    names = ["input", *(str(i) for i in range(len(middle))), "output"]
    nodes = [nir.Input(np.array(inputs)), *middle, nir.Output(np.array([n]))]
    return graph(dict(zip(names, nodes, strict=True)), list(pairwise(names)),
                 **metadata)


def test_a_lif_is_discretised_by_forward_euler() -> None:
    affine = nir.Affine(weight=np.array([[1, 2, 3], [4, 5, 6.0]]), bias=np.array([0.5, 0]))
    model = chain(affine, lif(r=10 * ones(2), v_leak=0.2 * ones(2)), dt=np.array(1e-3))
    found = FRONTEND.load(Request(model=model, sample=np.ones((1, 2, 3), np.float32)))
    v = run(found.network, found.inputs).records["1"]["v"][0]
    # one step: v = 0.5 * (0.2 + 10 * current) > 1, so both fire and return to 0
    assert np.array_equal(v, np.zeros((2, 2)))
    assert to_text(found.network).splitlines()[1:3] == [
        "  input -> 1 delay 0: dense 3 to 2, 6 weights > scale 2 to 2, 2 weights",
        "population 1 2 lif decay=0.5 threshold=1 reset=zero reset_at=spike "
        "fires_at_threshold=False bias=0.1..2.6",
    ]
    assert found.network.notes[0] == "dt = 0.001 s from the graph's metadata; forward Euler"


def test_a_reset_away_from_zero_shifts_the_membrane() -> None:
    weight = nir.Linear(weight=np.array([[0.3], [0.5]], np.float32))
    shifted = lif(v_leak=-0.5 * ones(2), v_reset=-0.5 * ones(2), v_threshold=0.5 * ones(2))
    sample = np.ones((1, 30, 1), np.float32)
    found = FRONTEND.load(Request(model=chain(weight, shifted, inputs=(1,)), sample=sample))
    v, spikes = np.zeros(2), []
    for _ in range(30):
        v = v + 0.05 * (-0.5 - v + 20 * np.array([0.3, 0.5]))
        spikes.append(v > 0.5)
        v[spikes[-1]] = -0.5
    assert np.array_equal(run(found.network, found.inputs).spikes("1")[0], np.array(spikes))


def test_a_cuba_lif_folds_its_gains_into_what_arrives() -> None:
    cuba = nir.CubaLIF(tau_syn=4e-4 * ones(1), tau_mem=1e-3 * ones(1), r=3 * ones(1),
                       v_leak=0 * ones(1), v_threshold=ones(1), w_in=2 * ones(1))
    sample = np.ones((1, 20, 1), np.float32)
    model = chain(nir.Linear(weight=ones(1, 1)), cuba, inputs=(1,), n=1)
    found = FRONTEND.load(Request(model=model, sample=sample))
    u, v, spikes = 0.0, 0.0, []
    for _ in range(20):
        u += 0.25 * (2 - u)
        v += 0.1 * (-v + 3 * u)
        spikes.append(v > 1)
        v = 0.0 if v > 1 else v
    assert np.array_equal(run(found.network, found.inputs).spikes("1")[0, :, 0], spikes)


def test_convolutions_pools_and_flatten_are_chained() -> None:
    conv = nir.Conv2d(input_shape=(6, 6), weight=ones(4, 2, 3, 3), stride=1, padding=1, dilation=1,
                      groups=1, bias=ones(4))
    pool = nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]),
                         padding=np.array([0, 0]))
    flat = nir.Flatten(input_type={"input": np.array([4, 3, 3])}, start_dim=0)
    model = chain(conv, pool, flat, nir.Linear(weight=ones(2, 36)), lif(), inputs=(2, 6, 6))
    (projection,) = network(model).incoming("4")
    assert [m.kind for m in projection.map.maps] == ["conv", "conv", "dense"]


def test_the_edge_that_closes_a_loop_gets_a_delay() -> None:
    inner = graph(
        {"in": nir.Input(np.array([2])), "lif": lif(), "w": nir.Linear(weight=ones(2, 2)),
         "out": nir.Output(np.array([2]))},
        [("in", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "out")],
    )
    found = network(chain(nir.Linear(weight=ones(2, 3)), inner))
    assert [(p.source, p.target, p.delay) for p in found.projections] == [
        ("input", "1.lif", 0), ("1.lif", "1.lif", 1)]


def test_a_delay_node_is_a_delay_in_steps() -> None:
    model = chain(nir.Linear(weight=ones(2, 3)), nir.Delay(delay=3e-4 * ones(2)), lif())
    assert [p.delay for p in network(model).projections] == [3]


def test_delays_of_several_lengths_are_kept_apart() -> None:
    delays = nir.Delay(delay=np.array([1e-4, 3e-4]))
    found = network(chain(nir.Linear(weight=np.eye(2, dtype=np.float32)), delays, lif(), inputs=(2,)))
    inputs = np.zeros((1, 8, 2), np.float32)
    inputs[0, 0] = 1
    v = run(found, {"input": inputs}).records["2"]["v"][0]
    assert np.array_equal(np.argmax(v != 0, axis=0), [1, 3])


def test_thresholds_and_integrators_are_neurons() -> None:
    model = chain(nir.Linear(weight=ones(2, 3)), nir.Threshold(threshold=1.5 * ones(2)),
                  nir.Linear(weight=np.eye(2, dtype=np.float32)), nir.I(r=np.array([1.0, 2.0])))
    found = network(model)
    inputs = np.array([[[1, 0, 0], [1, 1, 0], [1, 1, 1]]], np.float32)
    records = run(found, {"input": inputs}).records
    assert np.array_equal(records["1"]["spikes"][0], [[0, 0], [1, 1], [1, 1]])
    assert np.array_equal(records["3"]["v"][0], [[0, 0], [1, 2], [2, 4]])


def test_a_cuba_li_is_a_cuba_lif_that_never_fires() -> None:
    cuba = nir.CubaLI(tau_syn=4e-4 * ones(1), tau_mem=1e-3 * ones(1), r=3 * ones(1),
                      v_leak=0.7 * ones(1), w_in=2 * ones(1))
    sample = np.ones((1, 20, 1), np.float32)
    model = chain(nir.Linear(weight=ones(1, 1)), cuba, inputs=(1,), n=1)
    found = FRONTEND.load(Request(model=model, sample=sample))
    u, v, wanted = 0.0, 0.0, []
    for _ in range(20):
        u += 0.25 * (2 - u)
        v += 0.1 * (0.7 - v + 3 * u)
        wanted.append(v)
    assert found.network.outputs[0].variable == "v"
    assert np.allclose(run(found.network, found.inputs).records["1"]["v"][0, :, 0], wanted)


def test_an_integrator_between_layers_is_a_synaptic_current_or_a_filter() -> None:
    li = nir.LI(tau=4e-4 * ones(3), r=ones(3), v_leak=0 * ones(3))
    slow = nir.LIF(tau=1e-3 * ones(3), r=3 * ones(3), v_leak=0 * ones(3), v_threshold=ones(3),
                   v_reset=0 * ones(3))
    direct = network(chain(li, slow, n=3))
    filtered = network(chain(li, nir.Linear(weight=np.eye(3, dtype=np.float32)), slow, n=3))
    assert [p.neuron.kind for p in direct.populations] == ["cuba-lif"]
    assert [p.neuron.kind for p in filtered.populations] == ["filter", "lif"]
    inputs = {"input": (np.random.default_rng(0).random((2, 60, 3)) < 0.6).astype(np.float32)}
    spikes = run(direct, inputs).records["1"]["spikes"]
    assert spikes.sum() > 10
    assert np.array_equal(run(filtered, inputs).records["2"]["spikes"], spikes)


@pytest.mark.parametrize(
    ("model", "message"),
    [(chain(nir.Linear(weight=ones(2, 3)), nir.Delay(delay=np.array([1e-4, 2.5e-4])), lif()),
      "1: delays of 1 to 2.5 steps of 0.0001 s cannot be compiled. Use whole numbers of steps."),
     (chain(nir.Linear(weight=ones(2, 3)), lif(tau=1e-5 * ones(2))),
      "1: a time constant of 1e-05 s is shorter than a step of 0.0001 s. Write the exporter's dt "
      "into the graph's metadata as 'dt'."),
     (chain(nir.Linear(weight=ones(2, 5)), lif()), "0: its weight is (2, 5), its input (3,).")],
    ids=["delay", "tau", "shape"],
)
def test_what_cannot_be_compiled_is_refused_by_name(model: object, message: str) -> None:
    with pytest.raises(NmcError) as error:
        network(model)
    assert str(error.value) == message


def test_a_file_with_links_out_of_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    with h5py.File(path, "w") as file:
        file.create_group("node")["weight"] = h5py.ExternalLink("/etc/passwd", "/x")
    for read in (FRONTEND.claims, lambda path: FRONTEND.load(Request(path=path))):
        with pytest.raises(NmcError) as error:
            read(path)
        assert str(error.value) == f"{path}: 'weight' is a link to another place, which is not read."


def test_a_file_with_absurd_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    with h5py.File(path, "w") as file:
        file.create_dataset("node/weight", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))
    with pytest.raises(NmcError, match="claims 1,099,511,627,776 values and holds none"):
        FRONTEND.load(Request(path=path))


def scales(rows: int, width: int) -> object:
    """`rows` times `width` Scale nodes, each fed by all of the row before it."""
    nodes: dict[str, object] = {"input": nir.Input(np.array([2])), "lif": lif(),
                                "output": nir.Output(np.array([2]))}
    edges, before = [("lif", "output")], ["input"]
    for row in range(rows):
        here = [f"{row}_{column}" for column in range(width)]
        nodes |= {name: nir.Scale(ones(2)) for name in here}
        edges += [(source, name) for source in before for name in here]
        before = here
    return graph(nodes, edges + [(source, "lif") for source in before])


def test_paths_that_multiply_and_chains_without_end_are_refused() -> None:
    with pytest.raises(NmcError, match="more than 4,096 paths without a neuron lead to it"):
        network(scales(30, 2))
    with pytest.raises(NmcError, match="more than 100 nodes stand in a row without a neuron"):
        network(scales(1500, 1))
    assert network(scales(20, 1)).populations[0].name == "lif"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1j, 3e38])
def test_parameters_that_are_no_finite_numbers_are_refused(value: complex) -> None:
    with pytest.raises(NmcError, match="0: its r holds something else than numbers within 1e"):
        network(chain(lif(3, r=np.full(3, value)), inputs=(3,), n=3))


@pytest.mark.parametrize("shape", [np.array([[3, 3]]), np.array([2.5]), np.array([np.nan]),
                                   np.array([b"3"])], ids=["matrix", "part", "nan", "text"])
def test_an_input_whose_shape_is_no_list_of_whole_numbers_is_refused(shape: np.ndarray) -> None:
    model = chain(lif(3), n=3)
    next(n for n in model.nodes.values() if isinstance(n, nir.Input)).input_type = {"input": shape}
    with pytest.raises(NmcError, match="its shape is no list of whole numbers"):
        network(model)


@pytest.mark.parametrize("value", ["/etc/passwd", {"a": 1}, True])
def test_texts_and_groups_in_place_of_numbers_are_refused(value: object) -> None:
    model = chain(nir.Affine(weight=ones(3, 3), bias=ones(3)), lif(3), n=3)
    model.nodes["0"].bias = value
    with pytest.raises(NmcError, match="0: its bias holds something else than numbers within 1e"):
        network(model)


@pytest.mark.parametrize(
    "node",
    [nir.Affine(weight=ones(3, 3), bias=ones(2)), nir.Affine(weight=ones(3, 3), bias=ones(0)),
     nir.Scale(scale=ones(0)), nir.Scale(scale=ones(3, 3)),
     nir.Flatten({"input": np.array([3])}, start_dim=-7), nir.Input(np.array([2**32, 2**32])),
     nir.Input(np.array([-4]))],
    ids=["bias", "no bias", "no scale", "wide scale", "axis", "huge", "negative"],
)
def test_nodes_whose_numbers_fit_nothing_are_refused(node: object) -> None:
    nodes = (node, lif(3)) if not isinstance(node, nir.Input) else (lif(3),)
    model = chain(*nodes, n=3)
    if isinstance(node, nir.Input):
        model.nodes["input"] = node
    with pytest.raises(NmcError):
        network(model)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [
    (40_000, 1, 40_000), (0, 1, 0), (2, 0, 0), (-2, 1, 0), (2.5, 1, 0), (2, 1, np.nan)])
def test_pools_that_are_none_are_refused(kernel: float, stride: float, padding: float) -> None:
    pool = nir.SumPool2d(*(np.array([v, v]) for v in (2, 1, 0)))
    pool.kernel_size, pool.stride, pool.padding = ([v, v] for v in (kernel, stride, padding))
    with pytest.raises(NmcError):
        network(chain(pool, lif(1), inputs=(1, 10, 10), n=1))


@pytest.mark.parametrize("dt", [np.array("abc"), np.array([1e-3, 2e-3]), np.nan, 1e-300, 2.0, -1e-4])
def test_a_time_step_that_is_none_is_refused(dt: object) -> None:
    with pytest.raises(NmcError, match="its metadata does not say a dt of 1e-12 to 1 s"):
        network(chain(lif(3), inputs=(3,), n=3, dt=dt))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.nir"
    nir.write(path, chain(nir.Linear(weight=ones(2, 3)), lif()))
    path.write_bytes(path.read_bytes()[:1000])
    for read in (FRONTEND.claims, lambda path: FRONTEND.load(Request(path=path))):
        with pytest.raises(NmcError, match="is a damaged HDF5 file: reading it fails"):
            read(path)


@needs_data
@pytest.mark.parametrize("name", ["braille_noDelay_bias_zero", "braille_noDelay_noBias_subtract"])
def test_the_braille_networks_of_the_nir_paper_load(name: str) -> None:
    found = network_of_file(name)
    assert [(p.source, p.target, p.delay) for p in found.projections] == [
        ("input", "lif1.lif", 0), ("lif1.lif", "lif1.lif", 1), ("lif1.lif", "lif2", 0)]


def network_of_file(name: str) -> Network:
    path = DATA / f"{name}.nir"
    assert FRONTEND.claims(path)
    return FRONTEND.load(Request(path=path)).network


@needs_data
def test_the_lif_of_the_nir_paper_follows_its_exact_solution() -> None:
    given, v, spikes = np.loadtxt(DATA / "lif_exact.csv", delimiter=",").T
    sample = given.reshape(1, -1, 1).astype(np.float32)
    found = FRONTEND.load(Request(path=DATA / "lif_norse.nir", sample=sample))
    record = run(found.network, found.inputs).records["1"]
    assert record["spikes"].sum() == spikes.sum()
    before = slice(0, int(np.flatnonzero(spikes)[0]))
    assert np.abs(record["v"][0, before, 0] - v[before]).max() < 0.003


def test_scalar_parameters_and_an_edge_said_twice_are_read_as_meant() -> None:
    scalar = nir.LIF(tau=np.array(1e-3), r=np.array(1.0), v_leak=np.array(0.0),
                     v_threshold=np.array(1.0))
    model = graph(
        {"input": nir.Input(np.array([3])), "fc": nir.Linear(weight=ones(2, 3)), "lif": scalar,
         "output": nir.Output(np.array([2]))},
        [("input", "fc"), ("fc", "lif"), ("fc", "lif"), ("lif", "output")],
    )
    found = network(model)
    assert [p.shape for p in found.populations] == [(2,)]
    assert len(found.projections) == 1


def test_an_oblong_kernel_in_groups_keeps_its_shape() -> None:
    weight = np.random.default_rng(0).normal(size=(4, 1, 3, 2)).astype(np.float32)
    conv = nir.Conv2d(input_shape=(6, 5), weight=weight, stride=(2, 1), padding=(1, 0), dilation=1,
                      groups=2, bias=np.zeros(4, np.float32))
    model = chain(conv, nir.Flatten(input_type={"input": np.array([4, 3, 4])}, start_dim=0),
                  nir.Linear(weight=ones(2, 48)), lif(), inputs=(2, 6, 5))
    (projection,) = network(model).incoming("3")
    x = np.random.default_rng(1).normal(size=(1, 2, 6, 5)).astype(np.float32)
    wanted = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(weight),
                                        stride=(2, 1), padding=(1, 0), groups=2).sum()
    assert projection.map.apply(x.reshape(1, -1))[0] == pytest.approx(
        np.full(2, wanted, np.float32), abs=1e-4)
