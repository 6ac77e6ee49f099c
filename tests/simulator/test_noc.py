"""The mesh of routers: BookSim's cycles, the plain reference's, and what holds of any mesh."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.plain_noc import PlainMesh
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.simulator.noc import Mesh, Router, difference, read_trace, replay

GOLDENS = Path(__file__).parents[1] / "goldens" / "noc"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "noc"
SQUARE = {4: Mesh(width=4, height=4), 5: Mesh(width=5, height=5), 8: Mesh(width=8, height=8)}


def send(packets, mesh, router):
    columns = np.array(packets, np.int64).reshape(-1, 3).T.copy()
    return replay(*columns, mesh=mesh, router=router)


@pytest.mark.parametrize(("name", "width", "router"), [
    ("burst_b4", 8, Router(buffer=4)),
    ("hot_spot_b1", 4, Router(buffer=1)),
    ("congested_b2", 5, Router(buffer=2)),
    ("unspeculative_b4", 5, Router(buffer=4, routing=1, speculative=False, credit=2)),
])
def test_each_packet_takes_the_cycles_that_booksim_says(name, width, router):
    trace = read_trace(GOLDENS / f"{name}.csv", width * width)
    found = replay(trace.source, trace.target, trace.created, mesh=SQUARE[width], router=router)
    np.testing.assert_array_equal(found.injected, trace.recorded["injected"])
    np.testing.assert_array_equal(found.arrived, trace.recorded["arrived"])
    np.testing.assert_array_equal(found.routers, trace.recorded["routers"])


@pytest.mark.skipif(not SHARED.exists(), reason="there is no ../shared/data/noc")
@pytest.mark.parametrize(("name", "buffer"), [
    ("burst_b4", 4), ("layers_b16", 16), ("uniform_b8", 8)])
def test_latencies_of_recorded_traces_are_within_a_percent(name, buffer):
    trace = read_trace(SHARED / f"{name}.csv", 64)
    found = replay(trace.source, trace.target, trace.created, mesh=SQUARE[8],
                   router=Router(buffer=buffer))
    against = difference(trace, found)
    assert abs(against.latency_error) <= 0.01
    assert against.arrived_close >= 0.99
    assert against.routers_equal == 1


def test_an_empty_mesh_takes_three_cycles_a_router_and_two_to_enter():
    found = send([(0, 63, 10), (9, 9, 500), (7, 0, 10**12)], SQUARE[8], Router())
    np.testing.assert_array_equal(found.routers, [15, 1, 8])
    np.testing.assert_array_equal(found.arrived, [10 + 47, 500 + 5, 10**12 + 26])
    np.testing.assert_array_equal(found.injected, [10, 500, 10**12])


@pytest.mark.parametrize("side", [8, 300])
def test_only_routers_that_hold_packets_are_worked_on(side):
    mesh = Mesh(width=side, height=side)
    found = send([(0, 7, 0), (0, 7, 10**14)], mesh, Router())
    assert found.router_cycles == 16  # one cycle in each of eight routers, twice
    waiting = send([(0, 7, 0)], mesh, Router(routing=4))
    assert waiting.router_cycles == 8 * 5


def test_a_source_sends_a_packet_a_cycle_and_no_more_than_its_router_holds():
    found = send([(0, 1, 0)] * 6, SQUARE[4], Router(buffer=2))
    # The places of the first two come back four cycles after they were sent; then, as the link
    # has two places and its credits take six cycles, two packets leave every six.
    np.testing.assert_array_equal(found.injected, [0, 1, 4, 5, 10, 11])
    assert found.fullest == 2


def test_a_link_between_chips_is_slower_by_its_latency_and_its_rate():
    near = Mesh(width=4, height=1)
    far = Mesh(width=4, height=1, chip=(2, 1), chip_latency=11, chip_interval=7)
    packets = [(0, 3, 0), (1, 2, 0), (1, 2, 0), (2, 3, 0)]
    before, after = send(packets, near, Router()), send(packets, far, Router())
    # Over the link at cycles 2, 3 and 5, in the order 1, 2, 0; then at 2, 9 and 16.
    np.testing.assert_array_equal(after.arrived - before.arrived, [10 + 11, 10, 10 + 6, 0])


def test_cores_behind_one_router_are_reached_through_its_own_ports():
    mesh = Mesh(width=2, height=1, cores=3)
    found = send([(0, 2, 0), (1, 5, 0), (4, 5, 0), (2, 0, 0)], mesh, Router())
    np.testing.assert_array_equal(found.routers, [1, 2, 1, 1])
    np.testing.assert_array_equal(found.arrived, [5, 8, 5, 5])


@st.composite
def situations(draw):
    """A small mesh, a router, and packets that meet in it."""
    width, height, cores = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    chip = draw(st.sampled_from([None, (1, 1), (width, 1)]))
    mesh = Mesh(width=width, height=height, cores=cores, chip=chip,
                chip_latency=draw(st.integers(1, 5)), chip_interval=draw(st.integers(1, 3)))
    speculative = draw(st.booleans())
    few = st.integers(1, 3)
    router = Router(
        buffer=draw(st.integers(1, 4)), routing=draw(st.integers(0, 2)),
        output=1 if speculative else draw(few), switch=draw(few), speculative=speculative,
        traversal=draw(few), link=draw(few), credit=draw(st.integers(0, 3)))
    node = st.integers(0, mesh.n_nodes - 1)
    packets = draw(st.lists(st.tuples(node, node, st.integers(0, 12)), min_size=1, max_size=60))
    return mesh, router, packets


@settings(max_examples=40, deadline=None)
@given(situations())
def test_the_kernel_is_the_plain_reference_cycle_for_cycle(situation):
    mesh, router, packets = situation
    found, plain = send(packets, mesh, router), PlainMesh(mesh, router)
    plain.run(packets)
    order = range(len(packets))
    assert list(found.injected) == [plain.injected[index] for index in order]
    assert list(found.arrived) == [plain.arrived[index] for index in order]
    assert list(found.routers) == [plain.routers[index] for index in order]
    assert found.fullest == plain.fullest
    assert found.router_cycles == plain.router_cycles


@settings(max_examples=100, deadline=None)
@given(situations())
def test_every_packet_arrives_in_order_no_sooner_than_alone_and_buffers_hold(situation):
    mesh, router, packets = situation
    found = send(packets, mesh, router)
    flows = {}
    for index, (source, target, created) in enumerate(packets):
        alone = send([(source, target, created)], mesh, router)
        assert found.injected[index] >= created
        assert found.arrived[index] >= alone.arrived[0]
        assert found.routers[index] == alone.routers[0]
        assert alone.routers[0] == 1 + hops(mesh, source, target)
        flows.setdefault((source, target), []).append((created, index))
    assert found.fullest <= router.buffer
    for flow in flows.values():
        for (_, earlier), (_, later) in pairwise(sorted(flow)):
            assert found.arrived[earlier] < found.arrived[later]


def hops(mesh, source, target):
    (y, x), (to_y, to_x) = (divmod(node // mesh.cores, mesh.width) for node in (source, target))
    return abs(x - to_x) + abs(y - to_y)


@settings(max_examples=30, deadline=None)
@given(situations(), st.integers(1, 10**9))
def test_a_later_start_moves_every_cycle_by_as_much(situation, later):
    mesh, router, packets = situation
    found = send(packets, mesh, router)
    moved = send([(source, target, created + later) for source, target, created in packets],
                 mesh, router)
    np.testing.assert_array_equal(moved.arrived, found.arrived + later)
    assert moved.router_cycles == found.router_cycles
