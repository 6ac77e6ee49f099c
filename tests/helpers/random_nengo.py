"""Random networks in nengo-loihi's blocks, with states at the edges of its registers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from helpers.loihi_programs import dense, network, port, projection, weights
from helpers.random_lif import edge_neuron
from helpers.random_loihi import SIGNS
from nmcompile.ir import Network, Population, Projection

LINKS = (("in", "a"), ("a", "b"), ("b", "a"), ("in", "b"), ("b", "b"))


def block_network(seed: int) -> Network:
    """Two coupled blocks; weights alone can overflow 22 bits, biases 24.

    The emulator has one step of delay. It shifts single weights, the chip's word here their sum:
    mantissas under a negative exponent have nothing to lose.
    """
    rng = np.random.default_rng(seed)
    sizes = {"in": int(rng.integers(3, 12)), "a": int(rng.integers(3, 9)),
             "b": int(rng.integers(3, 9))}
    layers = tuple(_layer(rng, name, sizes[name]) for name in ("a", "b"))
    links = tuple(_link(rng, source, target, (sizes[target], sizes[source]))
                  for source, target in LINKS)
    return network((port((sizes["in"],)),), layers, links)


def described(net: Network, steps: int) -> dict[str, object]:
    """`net` as nengo_run.py takes it."""
    return {"steps": steps, "input": net.inputs[0].size,
            "blocks": {p.name: p.size for p in net.populations},
            "projections": [[p.source, p.target] for p in net.projections]}


def registers(net: Network, spikes: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of `net` as nengo_run.py takes them; `spikes` is (steps, n)."""
    arrays = {"in": spikes}
    for population in net.populations:
        neuron, each = population.neuron, (population.size,)
        values = {"decay_u": neuron.du, "decay_v": neuron.dv, "vth": neuron.threshold * 64,
                  "bias": neuron.bias_mantissa << neuron.bias_exponent,
                  "refract_delay": neuron.refractory, "u": neuron.u_init, "v": neuron.v_init}
        arrays |= {f"{population.name}/{k}": np.broadcast_to(v, each) for k, v in values.items()}
        low, high = neuron.v_limits
        arrays |= {f"{population.name}/vmin": np.array(low), f"{population.name}/vmax":
                   np.array(high)}
    for number, link in enumerate(net.projections):
        shifted = link.map.weight.T.astype(np.float64) * 2.0 ** (6 + link.format.exponent)
        arrays[f"{number}/weights"] = shifted.astype(np.int64)
    return arrays


def _layer(rng: np.random.Generator, name: str, n: int) -> Population:
    neuron = edge_neuron(
        rng, (n,), edges="nengo", refractory=int(rng.choice([1, 2, 63, rng.integers(1, 64)])),
        v_min_exponent=int(rng.choice([0, 23, 23, rng.integers(0, 24)])),
        v_max_exponent=int(rng.choice([7, 7, rng.integers(0, 8)])))
    return Population(name=name, shape=(n,), bias=np.zeros((), np.int32), neuron=replace(
        neuron, du=_each(rng, neuron.du, n), dv=_each(rng, neuron.dv, n)))


def _each(rng: np.random.Generator, decay: np.ndarray, n: int) -> np.ndarray:
    return rng.integers(0, 4096, n).astype(np.int32) if rng.random() < 0.3 else decay


def _link(rng: np.random.Generator, source: str, target: str, shape: tuple[int, int]
          ) -> Projection:
    exponent, sign = int(rng.integers(-6, 8)), str(rng.choice(SIGNS))
    whole = weights(rng, shape, sign) >> max(-exponent, 0) << max(-exponent, 0)
    return projection(source, target, dense(whole.astype(np.int16)), 1, exponent, sign)
