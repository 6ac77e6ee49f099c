"""Figures of networks on several kinds of chips, for pages that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

import nmcompile as nmc
from helpers.akida_models import Pooled, pictures
from helpers.akida_models import made as akida_model
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    payloads,
    port,
    program,
    projection,
    relayed,
    telling,
    weights,
)
from helpers.networks import dense as floats
from helpers.networks import scalar, small_target, sparse
from helpers.random_xylo import program_of, random_specification
from helpers.spinnaker_compiled import compiled as on_spinnaker
from helpers.spinnaker_compiled import small_network, spikes_for
from nmcompile.checks import Check
from nmcompile.frontends.data_file import read_data
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons import LIF
from nmcompile.mapper import map_network
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import demand
from nmcompile.passes.quantize import payloads as quantized
from nmcompile.registry import backend
from nmcompile.report import ReportFile, compiled_figures, look_figures, run_figures
from nmcompile.simulation import timing_of
from nmcompile.simulator import Modes, simulate
from nmcompile.target import load_target, with_chips

EXAMPLES = files("nmcompile_examples")
Figures = dict[str, Any]
HOSTILE = (  # names of layers
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\"'`${x}|*_[](x),\\",
    "=1+1", "{{ 7 * 7 }}{% raw %}", "long " + 295 * "x", "<!--", "&lt;b&gt;", "1", "datum['a']")


def figures_of(
    made: Program, sent: dict[str, np.ndarray], checks: tuple[Check, ...] = (),
    labels: np.ndarray | None = None, timing: str = "cycle",
) -> Figures:
    """The figures of a run, as `nmc simulate` makes and `nmc report` reads them."""
    needs = demand(made.network, made.mapping, made.target, backend(made.target.family))
    model = timing_of(made, timing)
    run = simulate(made, sent, timing=model)
    told = run_figures(compiled_figures(made, needs, checks), made, run, labels,
                       look=look_figures(made, sent, model, Modes()))
    return ReportFile.model_validate(told).model_dump()


@cache
def digits(neurons: int | None = None) -> tuple[nmc.api.Compiled, dict[str, np.ndarray], Any]:
    """The shipped network on Loihi 2, its cores with so many neurons; 24 digits and labels."""
    target = load_target("loihi2") if neurons is None else small_target(neurons=neurons)
    made = nmc.compile(str(EXAMPLES / "digits.pt"), target=target,
                       calibration=read_data(EXAMPLES / "digits_calibration.npz"))
    data = read_data(EXAMPLES / "digits_test.npz")
    (entry,) = made.program.network.inputs
    held = np.repeat(data.x[:24, None], 20, axis=1).reshape(24, 20, *entry.shape)
    return made, {entry.name: quantized(entry, held)}, data.y[:24]


def demo() -> Figures:
    made, sent, labels = digits()
    return figures_of(made.program, sent, made.checks, labels)


def not_simulated() -> Figures:
    made = digits()[0]
    return ReportFile.model_validate(
        compiled_figures(made.program, made.demand, made.checks)).model_dump()


def many_cores() -> Figures:
    """The digits on some hundred cores, with links between them."""
    made, sent, labels = digits(16)
    return figures_of(made.program, sent, made.checks, labels)


def spinnaker() -> Figures:
    """A network on routers whose chips have 17 cores in use, most of them."""
    made = on_spinnaker(small_network(1), 1, cores=2)
    return figures_of(made, spikes_for(made, 1, samples=3))


def seventeen() -> Figures:
    """Routers' chips of which one has 17 cores in use, as many as SpiNNaker's may have."""
    rng, lif = np.random.default_rng(0), LIF(decay=scalar(0.9), threshold=scalar(1))
    net = verify(Network(
        inputs=(Input(name="in", shape=(6,)),),
        populations=(Population(name="wide", shape=(4500,), neuron=lif),
                     Population(name="out", shape=(4,), neuron=lif)),
        projections=(
            Projection(source="in", target="wide", map=floats(rng, 6, 4500, 2.0)),
            Projection(source="wide", target="out", map=sparse(rng, 4500, 4, 0.02))),
        outputs=(Output(name="out", population="out"),)))
    made = on_spinnaker(net, 1, cores=17)
    return figures_of(made, spikes_for(made, 1, samples=2))


def speck() -> Figures:
    """A chip of events, with a convolutional network of Sinabs."""
    from sinabs.layers import IAFSqueeze, SumPool2d
    from torch import manual_seed, nn

    manual_seed(1)
    neurons = partial(IAFSqueeze, min_v_mem=-1.0, batch_size=1, spike_threshold=0.5)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, bias=False), neurons(), SumPool2d(2), nn.Flatten(),
        nn.Linear(48, 5, bias=False), neurons())
    frames = (np.random.default_rng(0).random((8, 15, 2, 8, 6)) < 0.2).astype(np.float32)
    made = nmc.compile(model, target="speck2f", sample=frames)
    return ReportFile.model_validate(made.simulate(frames).figures).model_dump()


def xylo() -> Figures:
    """One core, with a time of its own."""
    given = random_specification(2)
    given["alias"] = np.full_like(given["alias"], -1)
    made = program_of(given)
    slices = replace(made.mapping.slices, core=np.zeros_like(made.mapping.slices.core))
    made = replace(made, target=load_target("xylo_a3"),
                   mapping=replace(made.mapping, slices=slices))
    return figures_of(made, spikes_for(made, 2, samples=3, steps=40))


def akida() -> Figures:
    """A chip of which neither times nor energies are known."""
    made = nmc.compile(akida_model(Pooled).eval(), target="akd1000", sample=pictures(8))
    return ReportFile.model_validate(made.simulate(pictures(8)).figures).model_dump()


def graded() -> Figures:
    """Sigma-delta neurons, whose spikes are payloads."""
    made = program(telling(3), cut=2)
    return figures_of(made, payloads(made.network, 20, np.random.default_rng(0), samples=9))


def relays() -> Figures:
    """Layers that share cores, on several chips."""
    return deepcopy(_relays())


@cache
def _relays() -> Figures:
    made = program(relayed(2), cut=2)
    return figures_of(made, payloads(made.network, 20, np.random.default_rng(0), samples=9))


def deep(
    names: tuple[str, ...] = tuple(f"layer{k}" for k in range(60)), density: float = 0.4
) -> Figures:
    """A layer for each of `names`, one behind the other; so many of the lines spike in a step."""
    rng, zero = np.random.default_rng(0), np.zeros((), np.int32)
    layers = tuple(
        Population(name=name, shape=(12,), neuron=neuron(threshold=80), bias=zero, start=k)
        for k, name in enumerate(names, 1))
    made = program(network((port((12,)),), layers, tuple(
        projection(a, b, dense(weights(rng, (12, 12), "excitatory")), exponent=-1)
        for a, b in pairwise(("in", *names)))))
    return figures_of(made, payloads(made.network, 30, rng, samples=8, density=density))


@cache
def million() -> Figures:
    """A million neurons in three convolutional layers."""
    rng, zero = np.random.default_rng(0), np.zeros((), np.int32)
    sizes = ((1, 256, 256), (8, 256, 256), (4, 256, 256), (4, 256, 256))
    layers = tuple(Population(name=f"conv{k}", shape=shape, neuron=neuron(threshold=200),
                              bias=zero, start=k) for k, shape in enumerate(sizes[1:], 1))
    names = ("in", *(layer.name for layer in layers))
    net = network((port(sizes[0]),), layers, tuple(
        projection(names[k], names[k + 1], Conv(
            weight=weights(rng, (b[0], a[0], 3, 3)), in_shape=a, padding=(1, 1)))
        for k, (a, b) in enumerate(pairwise(sizes))))
    rates = np.full(sum(node.size for node in net.nodes), 0.05, np.float32)
    target = with_chips(load_target("loihi2"), 8)
    made, _ = map_network(net, target, backend(target.family), rates)
    sent = payloads(net, 4, rng, density=0.05)
    return figures_of(made, sent, timing="fast")


def board_of_tiles(side: int = 64) -> Figures:
    """`demo` as if it lay on side x side tiles, with links of all of them."""
    figures = deepcopy(demo())
    row, column = (part.reshape(-1).tolist() for part in np.indices((side, side)))
    count = side * side
    names = [layer["name"] for layer in figures["layers"][1:]]
    figures["floor"] = {
        "chip": [8, 8], "links": {name: [] for name in ("column", "row", "direction", "packets")},
        "cores": {"core": list(range(count)), "column": column, "row": row,
                  "layers": [names[k * len(names) // count] for k in range(count)]}}
    inside = [k for k in range(count) if column[k] < side - 1]
    figures["look"]["links"] = {
        "column": [column[k] for k in inside], "row": [row[k] for k in inside],
        "direction": ["east"] * len(inside), "packets": [float(1 + k % 50) for k in inside]}
    figures["cores_used"] = {limit: [(k % 97) / 97 for k in range(count)]
                             for limit in figures["cores_used"]}
    figures["energy_by_core"] = None
    figures["mapping"] |= {"cores": count, "cores_of": count}
    return figures


PAGES: dict[str, Callable[[], Figures]] = {
    "demo": demo, "not simulated": not_simulated, "many cores": many_cores,
    "spinnaker": spinnaker, "xylo": xylo, "akida": akida, "graded": graded, "relays": relays,
    "deep": deep,
    "seventeen": seventeen, "speck": speck, "one layer": lambda: deep(("only",)),
    "silent": lambda: deep(("first", "second"), density=0.0), "hostile": lambda: deep(HOSTILE), "million": million, "board": board_of_tiles}
