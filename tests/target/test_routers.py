"""Targets whose chips have routers: what their files say, and where their chips lie."""

import json

import numpy as np
import pytest
from helpers.networks import machine

from nmcompile.errors import NmcError
from nmcompile.mapping import Faults
from nmcompile.mapping.faults import both_ways, cut_off, links_out
from nmcompile.mapping.multicast.machine import machine_of, spin5
from nmcompile.target import Target, fitting_chips, load_target, with_chips
from nmcompile.target.schema import MAX_CORES
from nmcompile.target.topology import neighbours, router_links, tile_number, tile_position

CORNERS = [(x, y) for y in range(8) for x in range(8) if not max(0, y - 3) <= x <= min(7, y + 4)]


def changed(target, **values):
    """`target` with other values in its [router], or in its [board] where that has the field."""
    text = target.model_dump(mode="json")
    for name, value in values.items():
        text["router" if name in text["router"] else "board"][name]["value"] = value
    return Target.model_validate_json(json.dumps(text))


def test_a_hexagon_of_48_chips_has_the_links_of_the_board():
    target = machine(8, 8, missing=CORNERS, cores=17)
    made, board = machine_of(target, Faults()), spin5()
    np.testing.assert_array_equal(made.neighbour, board.neighbour)
    np.testing.assert_array_equal(made.x, board.x)
    np.testing.assert_array_equal(made.y, board.y)
    np.testing.assert_array_equal(made.cores, board.cores)
    np.testing.assert_array_equal(made.entries, board.entries)


def test_cores_lie_where_their_chips_do_along_x_then_y():
    target = machine(3, 2, missing=[(1, 0)], cores=2)
    assert target.n_cores == 10
    at = tile_position(target, np.arange(10, dtype=np.int32))
    assert at[::2].tolist() == [[0, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
    np.testing.assert_array_equal(at[::2], at[1::2])
    assert tile_number(target, np.array([2, 9], np.int32)).tolist() == [2, 5]


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("links", ["mesh", "triangular"])
def test_links_lead_back_the_opposite_way(links, wrap):
    target = machine(4, 3, missing=[(2, 1)], links=links, wrap=wrap)
    behind, all_ways = neighbours(target), both_ways(target, links_out(target))
    assert len(all_ways) == np.count_nonzero(behind >= 0)
    tile, way = np.divmod(all_ways, 6)
    np.testing.assert_array_equal(behind[behind[tile, way], (way + 3) % 6], tile)


def test_a_missing_link_leads_nowhere():
    target = changed(machine(2, 2, wrap=True), missing_links=[[0, 0, 3], [0, 0, 4]])
    assert router_links(target.router)[0].tolist() == [1, 3, 2, -1, -1, 2]


def test_dead_parts_are_gone_and_what_they_cut_off_is_known():
    target = machine(3, 1, links="mesh", cores=2)
    east_of_1 = 1 * 6 + 0
    faults = Faults(cores=np.array([1, 2], np.int32), links=both_ways(target, [east_of_1]))
    made = machine_of(target, faults)
    assert made.cores.tolist() == [0b010, 0b100, 0b110]
    assert made.neighbour[1].tolist() == [-1, -1, -1, 0, -1, -1]
    assert np.flatnonzero(cut_off(target, faults)).tolist() == [4, 5]


@pytest.mark.parametrize(("values", "message"), [
    ({"chips": 9}, "router: 4 x 2 chips without 0 are not the 9 of board.chips"),
    ({"missing": [[0, 0]], "chips": 7}, "router.missing has the chip [0, 0], where spikes enter"),
    ({"missing": [[4, 0]], "chips": 7}, "router: [4, 0] is outside of its 4 x 2 chips"),
    ({"missing": [[1, 1]], "chips": 7, "missing_links": [[1, 1, 0]]},
     "router.missing_links has a link of a chip in router.missing"),
    ({"mesh_width": 2}, "board: a chip with a router has one tile (mesh_width, mesh_height)"),
    ({"cores_per_tile": 26}, "board.cores_per_tile is 26, a router's word names 25 at most"),
    ({"links": "hexagonal"}, "Input should be 'mesh' or 'triangular'"),
    ({"key_bits": 33}, "less than or equal to 32"),
])
def test_a_board_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=r"router|board|Input|equal") as error:
        changed(machine(4, 2), **values)
    assert message in str(error.value)


def test_three_boards_of_48_chips_are_a_torus_of_144():
    one = machine(8, 8, missing=CORNERS, cores=17)
    three = with_chips(one, 144)
    assert (three.router.width.value, three.router.height.value) == (12, 12)
    assert three.n_cores == 144 * 17
    assert np.all(router_links(three.router) >= 0)
    six = with_chips(one, 288)
    assert (six.router.width.value, six.router.height.value) == (24, 12)
    assert with_chips(three, 144).board.chips.value == 144


@pytest.mark.parametrize("chips", [0, 47, 96, 145])
def test_other_numbers_of_chips_are_no_machine(chips):
    one = machine(8, 8, missing=CORNERS)
    with pytest.raises(NmcError) as error:
        with_chips(one, chips)
    assert str(error.value) == (
        f"loihi2: {chips:,} chips make no machine of its boards. Take --chips 48 for one board, or "
        "144, 288, ... for sets of three.")


def test_a_board_of_another_shape_stands_alone():
    with pytest.raises(NmcError) as error:
        with_chips(machine(2, 2), 8)
    assert str(error.value) == (
        "loihi2: 8 chips make no machine of its boards. Its one board has 4 chips.")


def test_more_chips_than_a_machine_may_have_are_refused_with_how_many_it_may():
    for target in (machine(8, 8, missing=CORNERS), load_target("loihi2")):
        sets = 144 if target.router else 1
        most = MAX_CORES // (sets * target.cores_per_chip) * sets
        assert with_chips(target, most).board.chips.value == most
        with pytest.raises(NmcError) as error:
            with_chips(target, most + sets)
        assert str(error.value).endswith(
            f" Take --chips {most} at most." if target.router else f" Take --chips 1 to {most}.")


def test_targets_without_routers_stand_in_a_row_as_before():
    target = load_target("loihi2")
    assert target.router is None
    assert neighbours(target).shape == (8 * 8 * 4, 4)
    assert with_chips(target, 3).n_cores == 3 * 128


@pytest.mark.parametrize(("name", "chips", "fits"), [
    ("truenorth", 200, 200), ("truenorth", 300, 0), ("spinnaker1", 49, 144), ("loihi2", 2, 8),
])
def test_machines_that_fit_can_be_made(name, chips, fits):
    target = load_target(name)
    assert fitting_chips(target, chips) == fits
    if fits:
        assert with_chips(target, fits).board.chips.value == fits
    else:
        with pytest.raises(NmcError, match="cores, expected 1 to 1,000,000"):
            with_chips(target, chips)


def test_both_boards_of_spinnaker_1_have_the_same_chips():
    large, small = load_target("spinnaker1"), load_target("spinnaker1_4chips")
    for table in ("formats", "time_s", "energy_j", "power_w"):
        assert getattr(large, table) == getattr(small, table)
    others = {"synapse_bits"}  # a core's share of its chip's memory
    assert large.core.model_dump(exclude=others) == small.core.model_dump(exclude=others)
    assert large.core.synapse_bits.value == 8 * 123_469_792 // 16
    assert small.core.synapse_bits.value == 8 * 123_469_792 // 17


def test_a_ring_buffer_that_cannot_hold_all_neurons_and_delays_is_refused():
    text = load_target("spinnaker1").model_dump(mode="json")
    text["core"]["neurons"]["value"] = 257
    with pytest.raises(ValueError, match=r"core\.neurons 257 with formats\.max_delay 32 take 15 "
                       r"bits, core\.ring_bits has 14"):
        Target.model_validate_json(json.dumps(text))
