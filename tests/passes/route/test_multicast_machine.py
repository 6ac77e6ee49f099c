"""Machines of chips: which links there are, and what faults take away."""

import numpy as np
import pytest

from nmcompile.errors import NmcError
from nmcompile.passes.route import multicast


def _at(machine, x, y):
    return int(np.flatnonzero((machine.x == x) & (machine.y == y))[0])


def test_a_board_has_48_chips_and_240_directed_links_in_a_hexagon():
    machine = multicast.spin5()
    assert len(machine) == 48
    assert np.count_nonzero(machine.neighbour >= 0) == 240
    assert np.bincount(machine.y).tolist() == [5, 6, 7, 8, 7, 6, 5, 4]
    assert np.all(machine.cores == 0x3FFFE)
    assert np.all(machine.entries == 1023)


def test_a_link_and_its_opposite_lead_back():
    machine = multicast.spin5()
    chip, link = np.nonzero(machine.neighbour >= 0)
    there = machine.neighbour[chip, link]
    assert np.array_equal(machine.neighbour[there, (link + 3) % 6], chip)


def test_a_torus_has_every_link_and_a_mesh_no_diagonals():
    torus = multicast.grid(3, 4, wrap=True)
    assert np.all(torus.neighbour >= 0)
    assert torus.neighbour[_at(torus, 2, 3), 1] == _at(torus, 0, 0)
    mesh = multicast.grid(3, 4, links="mesh")
    assert np.all(mesh.neighbour[:, [1, 4]] == -1)
    assert mesh.neighbour[_at(mesh, 1, 1)].tolist() == [
        _at(mesh, 2, 1), -1, _at(mesh, 1, 2), _at(mesh, 0, 1), -1, _at(mesh, 1, 0)]


def test_dead_chips_links_and_cores_are_gone():
    faults = multicast.Faults(chips=((1, 1),), links=((0, 0, 0), (1, 1, 2)),
                              cores=((1, 0, 3), (1, 1, 4)))
    machine = multicast.grid(3, 3, faults=faults)
    assert len(machine) == 8
    assert machine.neighbour[_at(machine, 0, 0)].tolist() == [-1, -1, _at(machine, 0, 1), -1, -1, -1]
    assert machine.neighbour[_at(machine, 1, 0), 3] == _at(machine, 0, 0)
    assert machine.cores[_at(machine, 1, 0)] == 0x3FFFE & ~8
    assert np.count_nonzero(machine.cores == 0x3FFFE) == 7


def test_links_of_an_unknown_kind_are_refused():
    with pytest.raises(NmcError) as error:
        multicast.grid(2, 2, links="triangle")
    assert str(error.value) == ("links: 'triangle' is not known. Did you mean 'triangular'? "
                                "Known: mesh, triangular.")


def test_a_dead_part_outside_of_the_machine_is_refused():
    with pytest.raises(NmcError) as error:
        multicast.grid(2, 2, faults=multicast.Faults(links=((2, 0, 1),)))
    assert str(error.value) == "chip (2, 0): is outside of the machine's 2 x 2 chips."
