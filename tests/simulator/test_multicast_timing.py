"""The time of steps in which routers copy packets."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import conv_network, machine, spikes

from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapping import Frames
from nmcompile.pipeline import compile_stage
from nmcompile.simulator import multicast
from nmcompile.simulator.multicast import MulticastTiming, MulticastTraffic


@pytest.fixture(scope="module")
def program():
    """One slice on each core, as all that the compiler makes for routers."""
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, machine(4, 4, cores=3, neurons=16)).program


@pytest.mark.parametrize("serial", [False, True])
def test_slices_share_the_time_in_which_their_core_works_where_routers_copy_packets(
        program, serial, monkeypatch):
    """Packets go as before, but two slices each are on a core."""
    slices, cost = program.mapping.slices, program.target.time_s
    flag = program.target.core.shared_kernels.model_copy(update={"value": serial})
    made = replace(
        program, mapping=replace(program.mapping, slices=replace(slices, core=slices.core // 2)),
        target=program.target.model_copy(
            update={"time_s": cost.model_copy(update={"sequential": flag})}))
    traffic = MulticastTraffic(program)
    monkeypatch.setattr(multicast, "MulticastTraffic", lambda of: traffic)
    timing = MulticastTiming(made)
    rng, size = np.random.default_rng(0), sum(node.size for node in program.network.nodes)
    sender = [np.flatnonzero(rng.random(size) < share).astype(np.int32) for share in (0.1, 0.9)]
    block = Frames(samples=1, start=np.cumsum([0, *map(len, sender)]),
                   sender=np.concatenate(sender), payload=np.ones(sum(map(len, sender)), np.int32))
    costs, tally = timing.add(block), traffic.tally(block, 0, 2)
    sending = (slices.sizes() * cost.neuron_update.value + tally.fired[:, :-1] * cost.spike_out.value
               + tally.packets_out[:, :-1] * cost.packet_out.value)
    receiving = (tally.packets_in * cost.packet_in.value + tally.events * cost.synaptic_event.value)
    works = 0
    for frame in range(2):
        sent, received = (np.bincount(made.mapping.slices.core, part[frame])
                          for part in (sending, receiving))
        works = works + (sent + received if serial else np.maximum(sent, received))
    busy = np.bincount(made.mapping.slices.core, costs.busy_s)
    np.testing.assert_allclose(busy, works, rtol=1e-9)
    assert busy.max() <= costs.step_s.sum()
    assert len(np.unique(made.mapping.slices.core)) < len(slices)
