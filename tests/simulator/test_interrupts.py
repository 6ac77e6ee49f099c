"""A Ctrl-C ends a run also where Python drops the exception that it raises."""

import signal

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.errors import Interrupted
from nmcompile.simulator import simulate
from nmcompile.simulator.interrupts import heard


class Freed:
    """What is interrupted while it is freed: its KeyboardInterrupt goes nowhere."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_drops_ends_the_run_at_the_next_block():
    net = relayed(0)
    told = []

    def progress(frames):
        told.append(frames)
        Freed()

    with pytest.raises(Interrupted, match="interrupted after"):
        simulate(program(net), payloads(net, 1000, np.random.default_rng(0), samples=2),
                 progress=progress)
    assert len(told) == 1


def test_an_interruption_comes_at_once_and_the_handler_is_put_back():
    with pytest.raises(KeyboardInterrupt), heard():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_drops_is_heard_at_the_end_at_the_latest():
    with pytest.raises(KeyboardInterrupt), heard():
        Freed()


def test_a_handler_of_the_users_own_is_left_alone():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with heard() as look:
            signal.raise_signal(signal.SIGINT)
            look()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [1]
