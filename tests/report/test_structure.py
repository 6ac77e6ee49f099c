"""What a network is said to be: in figures, and as a picture that every viewer can read."""

from dataclasses import replace
from xml.etree import ElementTree as Xml

import numpy as np
from helpers.networks import conv_network

from nmcompile.ir import Population
from nmcompile.ir.maps import Chain, Conv, Dense, Grid, Scale, pool
from nmcompile.ir.neurons import LIF
from nmcompile.report import structure, to_svg
from nmcompile.report.structure import map_text

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return ["".join(e.itertext()) for e in Xml.fromstring(svg).iter(f"{SVG}text")]


def test_totals_count_each_weight_once():
    network = conv_network()
    found = structure(network)
    weights = [p.map.weights() for p in network.projections]
    assert found["totals"]["neurons"] == sum(p.size for p in network.populations)
    assert found["totals"]["weights"] == sum(map(len, weights))
    assert found["totals"]["nonzero_weights"] == sum(map(np.count_nonzero, weights))


def test_maps_are_named_by_kind_kernel_and_sizes():
    kernel = np.ones((6, 1, 3, 2), np.float32)
    each = Conv(weight=kernel * np.arange(6).reshape(-1, 1, 1, 1), in_shape=(6, 8, 8), groups=6,
                stride=(2, 1), dilation=(1, 2))
    assert map_text(each) == "conv 3x2 stride 2x1 dilation 1x2 of each channel, 6 to 6"
    assert map_text(pool((6, 8, 8), (2, 2), (2, 2), (0, 0), average=True)) == "pool 2x2 stride 2x2"
    dense = Dense(weight=np.ones((3, 1000), np.float32), in_shape=(10, 100), out_shape=(3,))
    ones = Scale(factor=np.ones((), np.float32), in_shape=(10, 100))
    half = Scale(factor=np.full((), 0.5, np.float32), in_shape=(3,))
    assert map_text(Chain(maps=(ones, dense, half))) == "dense 1,000 to 3, times 0.5"
    assert map_text(ones) == "one to one"


def test_the_bits_of_trained_integers_are_told():
    network = conv_network()
    first = network.projections[0]
    grid = Grid(step=np.full((), 0.25, np.float32), bits=4)
    dense = Dense(weight=np.ones((336, 112), np.float32), in_shape=(112,), out_shape=(336,),
                  grid=grid)
    changed = replace(network, projections=(replace(first, map=dense), *network.projections[1:]))
    assert [p["bits"] for p in structure(changed)["projections"]][:2] == [4, None]


def test_a_picture_shows_every_population_and_projection():
    network = conv_network()
    found = structure(network)
    svg = to_svg(found)
    shown = texts(svg)
    for name in (p["name"] for p in (*found["inputs"], *found["populations"])):
        assert any(text.startswith(name) for text in shown)
    paths = [p for p in Xml.fromstring(svg).iter(f"{SVG}path") if "marker-end" in p.attrib]
    assert len(paths) == len(network.projections)
    assert [p.attrib["class"] for p in paths].count("back") == sum(
        p.source == p.target for p in network.projections) > 0
    assert svg == to_svg(structure(network))


def test_names_of_strangers_are_text_in_the_picture():
    network = conv_network()
    evil = '<script>alert("x")</script>&'
    neuron = LIF(decay=np.zeros((), np.float32), threshold=np.ones((), np.float32))
    found = structure(replace(network, populations=(
        *network.populations, Population(name=evil, shape=(1,), neuron=neuron))))
    svg = to_svg(found)
    assert "<script" not in svg
    assert evil in texts(svg)
