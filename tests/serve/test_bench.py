"""The bench ends on a signal wherever one comes, and owes nobody an answer then."""

import ctypes
import signal
import threading
from concurrent.futures import CancelledError
from contextlib import contextmanager

import pytest

from nmcompile.device import Place
from nmcompile.devices.sim import SimDevice
from nmcompile.serve.bench import Bench
from nmcompile.serve.server import _signals_to

LATE_S = 10.0


class _TooLateError(Exception):
    """The bench did not end by itself."""


@contextmanager
def bench():
    """A bench that hears signals, and ends with _TooLateError where it would work for ever."""
    made = Bench(SimDevice, Place(), print)
    late = threading.Timer(LATE_S, lambda: made._asked.put(_too_late))
    late.start()
    try:
        with _signals_to(made):
            yield made
    finally:
        late.cancel()


def _too_late():
    raise _TooLateError


def press(*arguments):
    signal.raise_signal(signal.SIGINT)
    return 5


def dropped():
    """A signal in a callback out of C, as llvmlite has them: what a handler raises is lost."""
    return ctypes.CFUNCTYPE(ctypes.c_int)(press)()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ahead_of_the_work_ends_it(number):
    with bench() as working:
        asked = working.ask(lambda: 5)
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            working.work()
    assert asked.cancelled()


@pytest.mark.parametrize("call", [press, dropped])
def test_a_signal_amid_an_order_lets_it_be_answered_and_ends_the_work(call):
    with bench() as working:
        asked, next_one = working.ask(call), working.ask(lambda: 6)
        with pytest.raises(KeyboardInterrupt):
            working.work()
    assert asked.result() == 5
    assert next_one.cancelled()


def test_a_signal_while_an_answer_is_handed_over_reaches_who_waits_for_it():
    heard = []
    with bench() as working:
        asked = working.ask(lambda: 5)
        asked.add_done_callback(press)
        asked.add_done_callback(heard.append)
        with pytest.raises(KeyboardInterrupt):
            working.work()
    assert heard == [asked]


def test_a_second_signal_does_not_wait_for_the_device():
    reached = []
    with bench() as working:
        asked = working.ask(lambda: reached.append(press()) or reached.append(press()))
        with pytest.raises(KeyboardInterrupt):
            working.work()
    assert reached == [5]
    with pytest.raises(CancelledError):
        asked.result(0)


def test_who_asks_behind_the_end_is_not_kept_waiting():
    with bench() as working:
        working.interrupt(signal.SIGINT, None)
        with pytest.raises(KeyboardInterrupt):
            working.work()
        assert working.ask(lambda: 5).cancelled()


def test_signals_are_the_programs_own_again_behind_the_server():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with bench():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
