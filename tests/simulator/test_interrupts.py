"""Ctrl-C ends a run between blocks of steps."""

import signal

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.errors import Interrupted
from nmcompile.simulator import simulate
from nmcompile.simulator.interrupts import heard


def press():
    signal.raise_signal(signal.SIGINT)


class Freed:
    """What is interrupted while it is freed, where a KeyboardInterrupt would go nowhere."""

    def __del__(self):
        press()


def test_an_interruption_ends_the_run_at_the_next_block():
    net = relayed(0)
    told = []

    def progress(frames):
        told.append(frames)
        Freed()

    with pytest.raises(Interrupted, match="interrupted after"):
        simulate(program(net), payloads(net, 1000, np.random.default_rng(0), samples=2),
                 progress=progress)
    assert len(told) == 1


def reached(*calls):
    """How many of `calls` were made, given what looks, before an interruption; it must come."""
    made = []

    def run():
        with heard() as look:
            for call in calls:
                call(look)
                made.append(call)

    with pytest.raises(KeyboardInterrupt):
        run()
    return len(made)


def test_an_interruption_comes_at_the_next_look_and_the_handler_is_put_back():
    assert reached(lambda look: press(), lambda look: None, lambda look: look()) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interruption_comes_at_the_end_at_the_latest():
    assert reached(lambda look: press()) == 1


def test_a_second_interruption_comes_at_once():
    assert reached(lambda look: press(), lambda look: press()) == 1


def test_a_handler_of_the_users_own_is_left_alone():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with heard() as look:
            press()
            look()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [1]
