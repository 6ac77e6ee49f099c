"""A sample that is run step by step, each input given just before, is the reference's."""

import numpy as np
import pytest
from helpers import loihi_programs
from helpers.networks import conv_network, small_target, spikes

from nmcompile.frontends.interface import Traced
from nmcompile.ir import run, run_aligned
from nmcompile.pipeline import compile_stage
from nmcompile.simulator.stepwise import Stepwise

STEPS = 25


def conv_program():
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, small_target(neurons=40)).program


PROGRAMS = {
    "a loop and a convolution": conv_program,
    "delays and relays": lambda: loihi_programs.program(loihi_programs.relayed(1)),
    "parts of sources": lambda: loihi_programs.program(loihi_programs.parted(2)),
    "graded spikes": lambda: loihi_programs.program(loihi_programs.telling(3)),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_every_step_answers_as_the_reference_does(kind):
    program = PROGRAMS[kind]()
    network, rng = program.network, np.random.default_rng(0)
    sent = {p.name: (rng.random((2, STEPS, *p.shape)) < 0.4).astype(np.int32)
            for p in network.inputs}
    expected = run_aligned(network, program.latency, sent).records
    stepwise = Stepwise(program)
    for sample in range(2):
        stepwise.begin()
        given = [stepwise.step({name: values[sample, step] for name, values in sent.items()})
                 for step in range(STEPS)]
        for port in network.outputs:
            found = np.stack([step[port.name] for step in given])
            lag = network.lags[port.population]
            values = expected[port.population][port.variable][sample]
            assert values.any()
            np.testing.assert_array_equal(found[lag:], values[: STEPS - lag])
