"""How many connections a server has at once, whoever makes them."""

import gc
import socket

import pytest

from nmcompile.errors import NmcError
from nmcompile.serve import gate as module
from nmcompile.serve.gate import gate


def test_connections_beyond_the_most_are_closed_until_others_are(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    with gate("127.0.0.1", 0) as listener:
        listener.listen(10)
        listener.settimeout(5)
        outside = [socket.create_connection(listener.getsockname(), 5) for _ in range(5)]
        inside = [listener.accept()[0] for _ in range(3)]
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        for closed in outside[3:]:
            assert closed.recv(1) == b""
        inside[0].close()
        for _ in range(2):
            with socket.create_connection(listener.getsockname(), 5) as early:
                with pytest.raises(BlockingIOError):
                    listener.accept()
                assert early.recv(1) == b""
            gc.collect()
        gc.collect()
        outside.append(socket.create_connection(listener.getsockname(), 5))
        listener.settimeout(5)
        inside.append(listener.accept()[0])
        for link in (*outside, *inside):
            link.close()


def test_connections_that_end_before_they_are_let_in_are_counted():
    with gate("127.0.0.1", 0) as listener:
        listener.listen(10)
        outside = [socket.create_connection(listener.getsockname(), 5) for _ in range(4)]
        inside = [listener.accept()[0] for _ in range(4)]
        assert listener.refused(came=0, inside=0) == 0  # none of them is over
        inside[0].close()
        inside[1].close()
        assert listener.refused(came=1, inside=0) == 1  # one of the two had come in
        assert listener.refused(came=2, inside=1) == 1  # and another one still is in
        for link in (*outside, *inside):
            link.close()
        assert listener.refused(came=1, inside=0) == 3


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.0.0.1", "", "x" * 300])
def test_a_host_that_is_none_of_this_machine_is_refused(host):
    with pytest.raises(NmcError, match="nmc serve: cannot listen on"):
        gate(host, 0)
