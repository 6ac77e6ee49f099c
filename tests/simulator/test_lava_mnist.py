"""lava-dl's trained network of the tutorial netx/mnist, compiled and simulated on digits."""

import numpy as np
import pytest
from helpers.mnist import SHARED, decided, digits, rate_code

from nmcompile.frontends.interface import Request
from nmcompile.frontends.lava_file import FRONTEND
from nmcompile.pipeline import compile_stage
from nmcompile.simulator import simulate
from nmcompile.target import load_target

FILE = SHARED / "lava" / "mnist_128_64_10.net"


@pytest.mark.skipif(not FILE.exists(), reason="there is no ../shared/data")
def test_the_tutorials_network_decides_96_of_100_digits_with_the_integers_of_its_file() -> None:
    """The tutorial prints 1.0 for the first 25 images of MNIST's test set, on a Loihi 2 board."""
    images, labels = digits(2000)
    sent = rate_code(images)
    request = Request(path=FILE, sample=sent[:8].astype(np.float32))
    compiled = compile_stage(FRONTEND.load(request), load_target("loihi2"))
    assert compiled.checks[2].figures["decisions_equal"] == 1.0
    records = simulate(compiled.program, {"input": sent}, record=("spikes",)).records
    assert np.mean(decided(records["dense_2"]["spikes"]) == labels) == 0.961
