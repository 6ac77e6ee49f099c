"""Packets of the cycle timing beside those of BookSim 2, whose routers have a clock."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nmcompile.mapping.faults import Detours
from nmcompile.simulator.cycle._fields import (
    ABSOLUTE,
    GAP,
    LAST,
    N_CORE,
    N_PACKET,
    NEXT,
    TO,
)
from nmcompile.simulator.cycle._move_kernels import move
from nmcompile.simulator.cycle.mesh import mesh_of, room_for
from nmcompile.simulator.noc import read_trace
from nmcompile.target import load_target

GOLDENS = Path(__file__).parents[1] / "goldens" / "noc"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "noc"
CYCLE = 1000  # picoseconds
WIDTH = 8
NONE = Detours(pair=np.zeros(0, np.int64), start=np.zeros(1, np.int64), via=np.zeros(0, np.int64))


def clocked(buffer, packets):
    """A chip of tiles with a core each; BookSim's empty router takes 3 cycles, the ends 2 more.

    The credit was fitted to these traces.
    """
    target = load_target("loihi1")

    def having(table, **values):
        return table.model_copy(update={
            name: getattr(table, name).model_copy(update={"value": value})
            for name, value in values.items()})

    cycle = CYCLE * 1e-12
    return target.model_copy(update={
        "board": having(target.board, chips=1, mesh_width=WIDTH, mesh_height=WIDTH,
                        cores_per_tile=1),
        "time_s": having(target.time_s, hop_x=3 * cycle, hop_y=3 * cycle),
        "network": having(target.network, buffer=buffer, core_buffer=packets, interval=cycle,
                          credit=3 * cycle, to_core=5 * cycle)})


def arrivals(trace, buffer):
    """(packets,) the cycle in which each packet of `trace` is at its core, in the file's order."""
    cores, n = np.arange(WIDTH**2, dtype=np.int32), len(trace.source)
    mesh = mesh_of(SimpleNamespace(target=clocked(buffer, n)), cores, NONE)
    room, setup = room_for(mesh, 1), mesh.setup.copy()
    setup[ABSOLUTE] = 1
    order = np.lexsort((np.arange(n), trace.created, trace.source))
    packet = np.zeros((n, N_PACKET), np.int64)
    packet[:, GAP] = trace.created[order] * CYCLE
    packet[:, TO] = trace.target[order] * N_CORE
    ends = np.searchsorted(trace.source[order], np.arange(len(cores) + 1)) * N_PACKET
    core = room.core[0].reshape(-1, N_CORE)
    core[:-1, NEXT], core[:-1, LAST] = ends[:-1], ends[1:]
    there, begin = np.zeros(n, np.int64), 1
    assert move(setup, mesh.via, room.port[0], room.place[0], room.core[0], room.queue[0],
                packet.reshape(-1), room.ring[0], there, begin) == n
    found = np.empty(n)
    found[order] = (there - begin) / CYCLE
    return found


@pytest.mark.parametrize(("folder", "name", "buffer", "error", "close"), [
    (GOLDENS, "burst_b4", 4, -0.0038, 0.984),
    (SHARED, "uniform_b8", 8, 0.00001, 1.0),
    (SHARED, "layers_b16", 16, 0.0, 1.0),
])
def test_latencies_are_those_of_booksim_within_half_a_percent(folder, name, buffer, error, close):
    if not folder.exists():
        pytest.skip("there is no ../shared/data/noc")
    trace = read_trace(folder / f"{name}.csv", WIDTH**2)
    found, recorded = arrivals(trace, buffer), trace.recorded["arrived"]
    latency = (recorded - trace.created).mean()
    assert (found - recorded).mean() / latency == pytest.approx(error, abs=5e-5)
    assert np.mean(np.abs(found - recorded) <= 2) == pytest.approx(close, abs=5e-4)
