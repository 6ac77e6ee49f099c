"""The simulator sums up weights at the ends of their mantissas and exponents as the reference."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from helpers.edges import at_edges
from helpers.loihi_programs import dense, network, neuron, payloads, port, program, projection
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.encode import EXPONENTS, weight_levels

from nmcompile.ir import Population, run
from nmcompile.ir.maps import Conv, from_matrix
from nmcompile.simulator import simulate

SIGNS = ("mixed", "excitatory", "inhibitory")
KINDS = ("dense", "sparse", "conv")
IMAGE = (2, 4, 5)


def mantissas(rng: np.random.Generator, shape: tuple[int, ...], sign: str, bits: int) -> np.ndarray:
    low, high, step = weight_levels(sign, bits)
    return (at_edges(rng, low // step, high // step, shape) * step).astype(np.int16)


def linear(rng: np.random.Generator, kind: str, sign: str, bits: int):
    if kind == "conv":
        return Conv(weight=mantissas(rng, (3, 2, 3, 3), sign, bits), in_shape=IMAGE, padding=(1, 1))
    matrix = mantissas(rng, (60, 40), sign, bits)
    if kind == "dense":
        return dense(matrix)
    return from_matrix(scipy.sparse.csr_array(matrix.T * (rng.random((40, 60)) < 0.4)), (40,), (60,))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.sampled_from(SIGNS),
       st.one_of(st.sampled_from([1, 8]), st.integers(1, 8)),
       st.one_of(st.sampled_from(EXPONENTS), st.integers(*EXPONENTS)), st.sampled_from([0, 9]))
@example(0, "dense", "mixed", 8, 7, 9)
@example(0, "sparse", "mixed", 8, -8, 9)
@example(0, "conv", "inhibitory", 8, 7, 0)
def test_sums_of_weights_are_the_references(seed, kind, sign, bits, exponent, payload_bits):
    rng = np.random.default_rng(seed)
    shape = IMAGE if kind == "conv" else (40,)
    link = projection("in", "a", linear(rng, kind, sign, bits), 1, exponent, sign, bits)
    layer = Population(name="a", shape=link.map.out_shape, bias=np.zeros((), np.int32),
                       neuron=neuron(du=int(rng.choice([-1, 0, 4095])), dv=0, threshold=131071))
    net = network((port(shape, payload_bits),), (layer,), (link,))
    sent = payloads(net, 8, rng, samples=2)
    wanted = run(net, sent).records["a"]
    found = simulate(program(net, cut=2, rng_seed=seed), sent, record=("spikes", "u", "v"))
    for name, values in wanted.items():
        np.testing.assert_array_equal(found.records["a"][name], values)


@pytest.mark.parametrize(("sign", "ends"), [("mixed", (-256, 254)), ("excitatory", (0, 255)),
                                            ("inhibitory", (-255, 0))])
def test_random_weights_reach_both_ends(sign, ends):
    drawn = mantissas(np.random.default_rng(0), (60, 40), sign, 8)
    assert (int(drawn.min()), int(drawn.max())) == ends
