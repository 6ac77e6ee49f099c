"""The arithmetic that nmcompile simulates against the hardware in Amaranth's simulator."""

import numpy as np
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from nmc_pico.arithmetic import REGISTERS, V_HIGH, V_LOW, PicoNeuron
from nmc_pico_rtl.device import updated
from nmc_pico_rtl.lane import Lane

WEIGHTS = st.lists(st.sampled_from((-128, 127)) | st.integers(-128, 127), max_size=20)


def value(low, high):
    return st.sampled_from((low, high)) | st.integers(low, high)


@settings(deadline=None)
@given(registers=st.tuples(*(value(*ends) for ends in REGISTERS.values())),
       r=st.sampled_from((0, 0, 1, 15)), v=value(V_LOW, V_HIGH), weights=WEIGHTS)
def test_the_lane_does_what_step_says(registers, r, v, weights):
    found = []

    async def host(context):
        found.append(await updated(context, lane, list(registers), (r, v), weights))

    lane = Lane()
    simulator = Simulator(lane)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.run()

    neuron = PicoNeuron(**{name: np.full(1, register, np.int32)
                           for name, register in zip(REGISTERS, registers, strict=True)})
    after, spikes = neuron.step({"r": np.array([r]), "v": np.array([v])}, np.array([sum(weights)]))
    assert found == [(spikes[0], after["r"][0], after["v"][0])]
