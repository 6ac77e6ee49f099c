"""What would make a network fit is tried before it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import neuron, port
from helpers.networks import board, every_step
from scipy.sparse import csr_array

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Output, Population, Projection, SynapseFormat
from nmcompile.ir.maps import Conv, Dense, from_matrix
from nmcompile.mapper import cut
from nmcompile.registry import backend

BACKEND = backend("loihi")


def layer(linear) -> Network:
    """One population behind `linear`, whose weights take 8 bits."""
    shape = linear.out_shape
    return Network(
        inputs=(port(linear.in_shape),),
        populations=(Population(name="layer", shape=shape, neuron=neuron(), bias=np.zeros((), int),
                                start=1),),
        projections=(Projection(source="in", target="layer", map=linear, delay=1,
                                format=SynapseFormat(bits=8)),),
        outputs=(Output(name="out", population="layer"),))


def dense(n_in, n_out):
    return Dense(weight=np.ones((n_out, n_in), np.int8), in_shape=(n_in,), out_shape=(n_out,))


def refusal(network, target) -> str:
    with pytest.raises(NmcError) as error:
        cut(network, target, BACKEND, every_step(network))
    return str(error.value)


def test_fewer_bits_are_proposed_with_the_cores_that_they_take_and_then_fit():
    network, target = layer(dense(64, 900)), board(1, 1, 1, neurons=200, synapse_bits=64 * 1600)
    text = refusal(network, target)
    assert text == (
        "network: needs 5 cores, loihi2 has 4 (1 chips of 4); largest layers: layer 5. "
        "With --chips 2 it fits.")
    target = board(1, 1, 1, neurons=900, synapse_bits=64 * 1600)
    text = refusal(network, target)
    assert text.endswith("With --bits 4 it takes 3 of 4 cores. With --chips 2 it fits.")
    narrow = replace(network, projections=tuple(
        replace(p, format=SynapseFormat(bits=4)) for p in network.projections))
    assert len(cut(narrow, target, BACKEND, every_step(narrow)).slices) == 3
    larger = board(2, 1, 1, neurons=900, synapse_bits=64 * 1600)
    assert len(cut(network, larger, BACKEND, every_step(network)).slices) <= 8


def test_a_fan_in_beyond_a_core_is_split_into_as_many_parts_as_fit():
    network, target = layer(dense(1000, 4)), board(1, 2, 2, synapse_bits=64 * 300)
    text = refusal(network, target)
    assert text.endswith(
        "Split the inputs of layer over 4 layers whose outputs it adds up.")
    one = layer(dense(250, 4))
    assert len(cut(one, target, BACKEND, every_step(one)).slices) > 0
    assert "Split" in refusal(layer(dense(334, 4)), target)


def test_the_parts_of_a_fan_in_are_as_many_as_the_fullest_of_them_needs():
    matrix = csr_array((np.arange(240) < 60).astype(np.int8)[:, None] * np.ones(4, np.int8))
    target = board(1, 2, 2, input_axons=20, axon_sources=1)
    assert refusal(layer(from_matrix(matrix, (240,), (4,))), target).endswith(
        "Split the inputs of layer over 12 layers whose outputs it adds up.")
    assert refusal(layer(from_matrix(matrix[:40], (40,), (4,))), target).endswith("over 2 layers "
                                                                    "whose outputs it adds up.")


def test_nothing_is_proposed_where_nothing_helps():
    conv = Conv(weight=np.ones((1, 1, 9, 9), np.int8), in_shape=(1, 30, 30))
    text = refusal(layer(conv), board(1, 2, 2, synapse_bits=64))
    assert text.endswith("No narrower weights, split, stride or chips make it fit.")
