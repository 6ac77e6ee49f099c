"""States that are cut to a grid may differ by what rounding at its units makes of them, no more."""

from __future__ import annotations

import numpy as np
import pytest

from nmcompile.checks import compare, require_same
from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import CubaLIF

UNIT = 2.0**-12


def difference(units: float, step: float):
    half = np.full((), 0.5, np.float32)
    neuron = CubaLIF(current_decay=half, decay=half, threshold=half + 1,
                     state_step=np.full((), step, np.float32))
    network = Network(
        inputs=(Input(name="in", shape=(2,)),),
        populations=(Population(name="n", shape=(2,), neuron=neuron),),
        projections=(Projection(source="in", target="n", map=Dense(
            weight=np.ones((2, 2), np.float32), in_shape=(2,), out_shape=(2,))),),
        outputs=(Output(name="out", population="n"),))
    quiet = np.zeros((1, 4, 2), np.float32)
    off = quiet.copy()
    off[0, 2, 1] = units * UNIT
    return compare(network, {"n": {"spikes": quiet, "v": quiet}}, {"n": {"spikes": quiet, "v": off}})


def test_one_unit_of_the_grid_is_a_tie_of_rounding():
    require_same("trace", difference(1, UNIT))


@pytest.mark.parametrize(("units", "step"), [(1, 0.0), (3, UNIT)])
def test_a_unit_without_a_grid_and_more_than_two_of_one_are_differences(units, step):
    with pytest.raises(NmcError, match="states differ by up to"):
        require_same("trace", difference(units, step))
