"""Which neurons and maps each chip takes, and small networks of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.networks import conv, dense, scalar, sparse
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import (
    ALIF,
    ATRLIF,
    LI,
    LIF,
    Activation,
    Alpha,
    CubaFilter,
    CubaLI,
    CubaLIF,
    Filter,
    Reset,
    ResetAt,
    ResonateFire,
    SigmaDelta,
)
from nmcompile.ir.neurons.base import Neuron
from nmcompile.ir.neurons.lif import UNBOUNDED
from nmcompile.pipeline import compile_stage
from nmcompile.stages import Compiled
from nmcompile.target import load_target

STEPS, N = 16, 6


def lif(**fields: object) -> LIF:
    return LIF(**({"decay": scalar(0.9), "threshold": scalar(1)} | fields))


def cuba(reset: Reset) -> CubaLIF:
    return CubaLIF(decay=scalar(0.9), threshold=scalar(1), current_decay=scalar(0.5), reset=reset)


def iaf(reset: Reset) -> LIF:
    """Sinabs' neuron: as many spikes as thresholds, and a lower bound."""
    return lif(decay=scalar(1), reset=reset, spikes_per_step=UNBOUNDED, fires_at_threshold=True,
               v_min=scalar(-1))


ONE, HALF = scalar(1), scalar(0.5)
NEURONS: dict[str, Neuron] = {
    "zero": lif(),
    "zero, losing an input": lif(reset_at=ResetAt.INPUT),
    "subtract": lif(reset=Reset.SUBTRACT),
    "subtract, late": lif(reset=Reset.SUBTRACT, reset_at=ResetAt.INPUT),
    "no reset": lif(reset=Reset.NONE),
    "no leak, zero": lif(decay=ONE),
    "no leak, subtract": lif(decay=ONE, reset=Reset.SUBTRACT),
    "a bound": lif(v_min=scalar(-1)),
    "several spikes": lif(reset=Reset.SUBTRACT, spikes_per_step=31, fires_at_threshold=True),
    "iaf, subtract": iaf(Reset.SUBTRACT),
    "iaf, zero": iaf(Reset.ZERO),
    "current, zero": cuba(Reset.ZERO),
    "current, subtract": cuba(Reset.SUBTRACT),
    "current, no reset": cuba(Reset.NONE),
    "alif": ALIF(decay=scalar(0.9), threshold=ONE, adaptation_decay=scalar(0.9),
                 adaptation_step=scalar(0.1), adaptation_scale=ONE),
    "atrlif": ATRLIF(current_decay=HALF, decay=scalar(0.9), threshold=ONE,
                     adaptation_decay=scalar(0.9), refractory_decay=scalar(0.9),
                     threshold_step=scalar(0.1)),
    "alpha": Alpha(decay=scalar(0.9), rise_decay=HALF, gain=ONE, threshold=ONE),
    "sigma-delta": SigmaDelta(threshold=scalar(0.1)),
    "resonate-and-fire": ResonateFire(sin_decay=scalar(0.3), cos_decay=scalar(0.8), threshold=ONE),
    "filter": Filter(decay=HALF),
    "filter of a current": CubaFilter(current_decay=HALF, decay=HALF),
}
READOUTS: dict[str, Neuron] = {
    "integrator": LI(decay=scalar(0.9)),
    "integrator of a current": CubaLI(current_decay=HALF, decay=scalar(0.9)),
}
MAPS = ("dense", "sparse", "convolution", "stride and padding", "dilation", "groups", "recurrence",
        "delay", "skip", "two targets")
PLAIN = {"loihi1": lif(), "loihi2": lif(), "xylo_a2": cuba(Reset.SUBTRACT),
         "speck2f": iaf(Reset.SUBTRACT), "spinnaker1": lif(), "spinnaker2": lif(),
         "truenorth": lif(decay=ONE, reset=Reset.SUBTRACT), "akd1000": Activation()}
RESETS = {"zero", "zero, losing an input", "subtract", "subtract, late", "no reset",
          "no leak, zero", "no leak, subtract", "current, zero", "current, no reset"}
TAKEN = {
    "loihi1": RESETS | set(READOUTS),
    "loihi2": RESETS | set(READOUTS) | {
        "current, subtract", "atrlif", "sigma-delta", "resonate-and-fire"},
    "xylo_a2": {"subtract", "no leak, subtract", "several spikes", "current, subtract", *READOUTS},
    "speck2f": {"iaf, subtract", "iaf, zero"},
    "spinnaker1": {"zero", "zero, losing an input", "no leak, zero", "current, zero", *READOUTS},
    "spinnaker2": {"zero", "subtract", "no leak, zero", "no leak, subtract", "integrator"},
    "truenorth": {"no leak, zero", "no leak, subtract"},
    "akd1000": set(),  # its layers are activations, which keep nothing
}
MAPS_TAKEN = {target: set(MAPS) for target in PLAIN} | {
    "xylo_a2": set(MAPS) - {"delay", "skip"},
    "speck2f": {"dense", "convolution", "stride and padding", "dilation", "groups", "two targets"},
    "spinnaker2": set(MAPS) - {"delay", "skip"},
    "akd1000": {"dense", "sparse"},  # convolutions in padding Same: helpers/akida_models.py
}


def two_layers(target: str, neuron: Neuron) -> Network:
    """`neuron` as the population n, ahead of a plain layer or behind it."""
    rng = np.random.default_rng(0)
    plain = Population(name="plain", shape=(N,), neuron=PLAIN[target])
    tried = Population(name="n", shape=(N,), neuron=neuron)
    order = (tried, plain) if neuron in NEURONS.values() else (plain, tried)
    first = dense(rng, 5, N, 2.0)
    currents = getattr(order[0].neuron, "currents", 1)
    if currents > 1:
        first = Dense(weight=np.concatenate([first.weight] * currents), in_shape=(5,),
                      out_shape=(currents, N))
    last = order[1]
    return verify(Network(
        inputs=(Input(name="in", shape=(5,)),), populations=order,
        projections=(
            Projection(source="in", target=order[0].name, map=first),
            Projection(source=order[0].name, target=last.name, map=dense(rng, N, N, 2.0))),
        outputs=(Output(name="out", population=last.name,
                        variable="spikes" if last.neuron.spiking else "v"),)))


def of_map(target: str, kind: str) -> Network:
    """Two or three plain layers, the first two joined by a map of the `kind`."""
    rng, shape = np.random.default_rng(0), (2, 4, 4)
    options = {"stride and padding": {"stride": (2, 2), "padding": (1, 1)},
               "dilation": {"dilation": (2, 2), "kernel": (2, 2)}, "groups": {"groups": 2}}.get(kind, {})
    if kind == "sparse":
        tried = sparse(rng, 32, N, 0.3)
    elif kind in ("convolution", "stride and padding", "dilation", "groups"):
        tried = conv(rng, shape, 2, gain=3.0, **options)
    else:
        tried = dense(rng, 32, N, 3.0)
    image = conv(rng, (1, 4, 4), 2, padding=(1, 1), gain=3.0)

    def layer(name: str, shape: tuple[int, ...]) -> Population:
        return Population(name=name, shape=shape, neuron=PLAIN[target])

    n = int(np.prod(tried.out_shape))
    links = [Projection(source="in", target="a", map=image),
             Projection(source="a", target="n", map=tried),
             Projection(source="n", target="out", map=dense(rng, n, 4, 3.0))]
    more = {"recurrence": ("n", "n", dense(rng, N, N, 0.5), 1),
            "delay": ("a", "out", dense(rng, 32, 4, 1.0), 3),
            "skip": ("a", "out", dense(rng, 32, 4, 1.0), 0),
            "two targets": ("a", "second", dense(rng, 32, 3, 1.0), 0)}
    populations = [layer("a", shape), layer("n", tried.out_shape), layer("out", (4,))]
    if kind in more:
        source, name, linear, delay = more[kind]
        links.append(Projection(source=source, target=name, map=linear, delay=delay))
    outputs = [Output(name="out", population="out")]
    if kind == "two targets":
        populations.append(layer("second", (3,)))
        outputs.append(Output(name="second", population="second"))
    return verify(Network(inputs=(Input(name="in", shape=(1, 4, 4)),),
                          populations=tuple(populations), projections=tuple(links),
                          outputs=tuple(outputs)))


def all_networks(target: str) -> dict[str, Network]:
    """Everything that is tried on `target`, by its name."""
    return {name: two_layers(target, neuron) for name, neuron in (NEURONS | READOUTS).items()} | {
        kind: of_map(target, kind) for kind in MAPS}


def taken(target: str) -> dict[str, Compiled]:
    """What `target` takes, compiled."""
    wanted = TAKEN[target] | MAPS_TAKEN[target]
    return {name: compiled(net, target) for name, net in all_networks(target).items()
            if name in wanted}


def compiled(net: Network, target: str) -> Compiled:
    given = drawn(net, 1)
    if target == "akd1000":
        net = replace(net, steps=1, static=True)
        given = {name: values[:, :1] for name, values in given.items()}
    traced = Traced(network=net, inputs=given, expected=run(net, given).records)
    return compile_stage(traced, load_target(target))


def drawn(net: Network, seed: int) -> dict[str, np.ndarray]:
    """Spikes for the inputs of `net`."""
    rng = np.random.default_rng(seed)
    return {port.name: (rng.random((3, STEPS, *port.shape)) < 0.4).astype(np.float32)
            for port in net.inputs}
