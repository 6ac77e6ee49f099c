"""Random networks over all that a Xylo may hold, as Rockpool's specification and as ours."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.xylo.arithmetic import (
    HIDDEN_SPIKES,
    NO_ALIAS,
    OUTPUT_SPIKES,
    XyloNeuron,
)

from helpers.networks import every_step
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    verify,
)
from nmcompile.ir.maps import Dense
from nmcompile.mapping import Mapping, Program, Slices
from nmcompile.mapping.verify import verify_program
from nmcompile.passes.route import route
from nmcompile.target import load_target

Specification = dict[str, np.ndarray]
PORT = SpikeFormat(payload_bits=5)  # up to 15 spikes


def random_specification(seed: int, steps: int = 50) -> Specification:
    """Arguments of Rockpool's XyloSim.from_specification, `chip`, `alias` and `input`."""
    rng = np.random.default_rng(seed)
    n_in, n, n_out = (int(rng.integers(1, high)) for high in (17, 61, 9))
    chip = str(rng.choice(["a2", "a2", "imu"]))
    synapses = 2 if chip == "a2" else 1
    loud = bool(rng.random() < 0.6)  # so that states saturate
    biased = bool(rng.random() < 0.7)
    return {
        "chip": np.array(chip),
        "weights_in": _weights(rng, (n_in, n, synapses)),
        "weights_rec": _weights(rng, (n, n, synapses)) * int(rng.random() < 0.8),
        "weights_out": _weights(rng, (n, n_out)),
        **{f"weight_shift_{part}": np.array(int(rng.integers(0, 9 if loud else 3)))
           for part in ("in", "rec", "out")},
        **{name: rng.choice(16, size, p=_dashes(loud)) for name, size in (
            ("dash_mem", n), ("dash_mem_out", n_out), ("dash_syn", n), ("dash_syn_2", n),
            ("dash_syn_out", n_out))},
        "threshold": _thresholds(rng, n, loud),
        "threshold_out": _thresholds(rng, n_out, loud),
        "bias": _biases(rng, n, loud) * biased,
        "bias_out": _biases(rng, n_out, loud) * biased,
        "alias": _aliases(rng, n) if rng.random() < 0.6 else np.full(n, NO_ALIAS),
        "input": rng.integers(0, 16, (steps, n_in)) * (
            rng.random((steps, n_in)) < rng.choice([0.1, 0.5, 1.0])),
    }


def network_of(given: Specification, lag: int = 0) -> Network:
    """The network of a specification; with `lag` 1 every synapse takes a step, as on a mapped chip.

    Inputs then arrive one step later, and all neurons begin then.
    """
    n_in, n, synapses = given["weights_in"].shape
    n_out = given["weights_out"].shape[1]
    whole = {k: v.astype(np.int32) for k, v in given.items() if v.dtype.kind == "i"}
    dashes = np.stack([whole["dash_syn"], whole["dash_syn_2"]][:synapses])
    hidden = XyloNeuron(dash_syn=dashes, dash_mem=whole["dash_mem"], threshold=whole["threshold"],
                        bias=whole["bias"], alias=whole["alias"], most=HIDDEN_SPIKES,
                        currents=synapses)
    out = XyloNeuron(dash_syn=whole["dash_syn_out"][None], dash_mem=whole["dash_mem_out"],
                     threshold=whole["threshold_out"], bias=whole["bias_out"],
                     alias=np.full((), NO_ALIAS, np.int32), most=OUTPUT_SPIKES)
    zero = np.zeros((), np.int32)
    return Network(
        inputs=(Input(name="in", shape=(n_in,), format=PORT),),
        populations=(
            Population(name="hidden", shape=(n,), neuron=hidden, bias=zero, start=lag),
            Population(name="out", shape=(n_out,), neuron=out, bias=zero, start=lag)),
        projections=(  # not in the order in which they are added
            _projection("hidden", "hidden", whole["weights_rec"], whole["weight_shift_rec"], 1),
            _projection("in", "hidden", whole["weights_in"], whole["weight_shift_in"], lag),
            _projection("hidden", "out", whole["weights_out"][:, :, None],
                        whole["weight_shift_out"], 1)),
        outputs=(Output(name="out", population="out"),),
    )


def program_of(given: Specification) -> Program:
    """The network on a mesh, each population cut in two."""
    net = verify(network_of(given, lag=1))
    boxes = [(i, part) for i, p in enumerate(net.populations)
             for part in np.array_split(np.arange(p.size), min(2, p.size))]
    slices = Slices(
        population=np.array([i for i, _ in boxes], np.int32),
        low=np.array([(0, 0, part[0]) for _, part in boxes], np.int32),
        high=np.array([(1, 1, part[-1] + 1) for _, part in boxes], np.int32),
        core=np.arange(len(boxes), dtype=np.int32))
    return verify_program(Program(
        network=net, mapping=Mapping(slices=slices, axons=route(net, slices), rates=every_step(net)),
        target=load_target("loihi2"), latency={"in": 0, "hidden": 1, "out": 1}))


def _projection(source: str, target: str, weights: np.ndarray, shift: np.ndarray, delay: int
                ) -> Projection:
    """`weights` (sources, targets, synapses) as one dense map into all currents."""
    n_sources, n, synapses = weights.shape
    rows = np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(synapses * n, n_sources))
    shape = (n,) if synapses == 1 else (synapses, n)
    return Projection(
        source=source, target=target, delay=delay,
        map=Dense(weight=rows.astype(np.int16), in_shape=(n_sources,), out_shape=shape),
        format=SynapseFormat(bits=8, exponent=int(shift)))


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    drawn = rng.integers(-128, 128, shape) // int(rng.choice([1, 4]))
    return drawn * (rng.random(shape) < rng.choice([0.2, 0.7]))


def _dashes(loud: bool) -> np.ndarray:
    """Probabilities of the decays: slow ones pile up, 0 clears at once."""
    weight = np.ones(16) if loud else np.array([1, *[4] * 6, *[0.5] * 9])
    return weight / weight.sum()


def _thresholds(rng: np.random.Generator, n: int, loud: bool) -> np.ndarray:
    if not loud:
        return rng.integers(20, 1500, n)
    return np.where(rng.random(n) < 0.3, rng.integers(1, 60, n), rng.integers(1, 32768, n))


def _biases(rng: np.random.Generator, n: int, loud: bool) -> np.ndarray:
    return rng.integers(-32768, 32768, n) if loud and rng.random() < 0.3 else (
        rng.integers(-60, 60, n))


def _aliases(rng: np.random.Generator, n: int) -> np.ndarray:
    """Copies up, down, to themselves, several to one, and chains of them."""
    return np.where(rng.random(n) < 0.4, rng.integers(0, n, n), NO_ALIAS)
