"""Steps in which packets meet take as long as the plain meaning says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers import loihi_programs
from helpers.plain_cores import PlainStep, ways_by_tile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Population, Projection
from nmcompile.ir.maps import from_matrix
from nmcompile.mapping import Faults, FrameError, Frames, Mapping, Program, Slices
from nmcompile.mapping.faults import NoWayError, random_faults
from nmcompile.passes.route import route
from nmcompile.simulator import run as simulator_run
from nmcompile.simulator import simulate
from nmcompile.simulator.cycle import CycleTiming, mesh, timing
from nmcompile.simulator.fast import FastTiming
from nmcompile.simulator.traffic import ways_of
from nmcompile.target import load_target

ZERO = np.zeros((), np.int32)
NEURON = LoihiNeuron(du=ZERO, dv=ZERO, threshold=ZERO, bias_mantissa=ZERO)
LOIHI = load_target("loihi1")


def target(rng, **values):
    """Two chips of 2 x 3 tiles with two cores each, and times drawn at random."""

    def drawn(table, **some):
        update = {}
        for name, constant in table:
            if name in some:
                update[name] = constant.model_copy(update={"value": some[name]})
            elif constant is not None and isinstance(constant.value, float):
                seconds = float(rng.integers(0, 40)) * 1e-10
                update[name] = constant.model_copy(update={"value": seconds})
        return table.model_copy(update=update)

    return LOIHI.model_copy(update={
        "board": drawn(LOIHI.board, chips=2, mesh_width=2, mesh_height=3, cores_per_tile=2),
        "time_s": drawn(LOIHI.time_s, barrier=[(1, 0.0)]),
        "network": drawn(LOIHI.network, buffer=int(rng.integers(1, 4)),
                         core_buffer=int(rng.integers(1, 4)), **values)})


def program(seed, faults=0.0, **values):
    """Sparse projections between an input and three populations on random cores."""
    rng = np.random.default_rng(seed)
    chips, sizes = target(rng, **values), rng.integers(3, 14, 4)
    names = ["line", "a", "b", "c"]
    pairs = [(0, 1), (1, 2), (2, 3), (3, 1), (1, 3), (2, 2)]
    network = Network(
        inputs=(Input(name="line", shape=(int(sizes[0]),)),),
        populations=tuple(Population(name=name, shape=(int(n),), neuron=NEURON)
                          for name, n in zip(names[1:], sizes[1:], strict=True)),
        projections=tuple(
            Projection(source=names[i], target=names[j], delay=1, map=from_matrix(
                rng.random((sizes[i], sizes[j])) < rng.choice([0.2, 1.0]), (int(sizes[i]),),
                (int(sizes[j]),)))
            for i, j in pairs),
        outputs=())
    slices = cut(rng, sizes[1:], chips.n_cores)
    dead = random_faults(chips, 0, faults, seed)
    return Program(
        network=network, target=chips, latency={},
        mapping=Mapping(slices=slices, axons=route(network, slices), rates=np.zeros(0, np.float32),
                        faults=Faults(links=dead.links)))


def cut(rng, sizes, cores):
    """Populations in up to four runs each; two runs may share a core."""
    parts = []
    for number, size in enumerate(sizes):
        ends = np.unique(np.append(rng.integers(1, size + 1, 3), [0, size]))
        parts += [(number, low, high) for low, high in pairwise(ends)]
    number, low, high = np.array(parts, np.int32).T
    corner = np.zeros((len(parts), 3), np.int32)
    return Slices(
        population=number, low=corner + low[:, None] * np.array([0, 0, 1], np.int32),
        high=np.where([True, True, False], 1, high[:, None]).astype(np.int32),
        core=rng.integers(0, cores, len(parts)).astype(np.int32))


def frames(rng, n, count, samples=1):
    """Frames in which some, all or none of `n` lines and neurons spike."""
    spiking = rng.random((count, n)) < rng.choice([0.0, 0.3, 0.8, 1.0], (count, 1))
    sender = np.nonzero(spiking)[1]
    start = np.concatenate([[0], np.cumsum(spiking.sum(axis=1))])
    return Frames(samples=samples, start=start, sender=sender.astype(np.int32),
                  payload=np.ones(len(sender), np.int32))


def n_senders(some):
    return sum(node.size for node in some.network.nodes)


def plain_times(some, block):
    """Picoseconds of each frame by the plain meaning."""
    ways = ways_by_tile(some, ways_of(some))
    return [PlainStep(some, block.sender[a:b].tolist(), ways).run()
            for a, b in pairwise(block.start)]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_step_takes_as_long_as_moment_by_moment(seed):
    some = program(seed)
    block = frames(np.random.default_rng(seed), n_senders(some), 3)
    told = CycleTiming(some).add(block).step_s
    assert np.rint(told * 1e12).astype(int).tolist() == plain_times(some, block)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_ways_around_dead_links_are_taken_or_a_deadlock_is_named(seed):
    some = program(seed, faults=0.15)
    block = frames(np.random.default_rng(seed), n_senders(some), 2)
    try:
        ways_of(some)
    except NoWayError:
        assume(False)
    plain = plain_times(some, block)
    if None in plain:
        with pytest.raises(NmcError, match="packets wait for each other for ever: ways around"):
            CycleTiming(some).add(block)
    else:
        told = CycleTiming(some).add(block).step_s
        assert np.rint(told * 1e12).astype(int).tolist() == plain


def frame_by_frame(block):
    """Each frame of a block by itself."""
    for a, b in pairwise(block.start):
        yield Frames(samples=1, start=np.array([0, b - a]), sender=block.sender[a:b],
                     payload=block.payload[a:b])


def work_of_cores(some, block):
    """(frames, cores) seconds in which each core works, from counts."""
    alone, on_core, cost = [], some.mapping.slices.core, some.target.time_s
    for one in frame_by_frame(block):
        counts = FastTiming(some).add(one)
        sending = (some.mapping.slices.sizes() * cost.neuron_update.value
                   + counts.spikes[:-1] * cost.spike_out.value
                   + counts.packets_out[:-1] * cost.packet_out.value)
        receiving = (counts.packets_in * cost.packet_in.value
                     + counts.events * cost.synaptic_event.value)
        sent, received = (np.bincount(on_core, work, some.target.n_cores)
                          for work in (sending, receiving))
        serial = cost.sequential is not None and cost.sequential.value
        alone.append(sent + received if serial else np.maximum(sent, received))
    return np.array(alone)


def test_packets_that_wait_for_each_other_for_ever_are_named():
    some = program(57, faults=0.2)
    block = frames(np.random.default_rng(57), n_senders(some), 3)
    plain = plain_times(some, block)
    model = CycleTiming(some)
    with pytest.raises(FrameError) as error:
        model.add(block)
    assert error.value.frame == plain.index(None)
    assert str(error.value) == (
        "loihi1: packets wait for each other for ever: ways around "
        f"{len(some.mapping.faults.links)} dead links turn back into buffers that are full. Map "
        "with fewer dead links, or simulate with --timing fast.")
    quiet = Frames(samples=1, start=np.zeros(3, np.int64), sender=block.sender[:0],
                   payload=block.payload[:0])
    np.testing.assert_array_equal(model.add(quiet).step_s, CycleTiming(some).add(quiet).step_s)


class Jams(FastTiming):
    """Finds a fault in the frame of step 2 and the batch's second sample, in the second batch."""

    batches = 0

    def begin(self, samples):
        self.batches += 1

    def add(self, frames):
        if self.batches == 2:
            raise FrameError("loihi1", "packets wait", "Wait.", frame=2 * frames.samples + 1)
        return super().add(frames)


def test_a_run_says_in_which_of_its_steps_and_samples_a_model_of_time_finds_a_fault(monkeypatch):
    monkeypatch.setattr(simulator_run, "BATCH", 3)
    made = loihi_programs.program(loihi_programs.relayed(1), "loihi1")
    sent = loihi_programs.payloads(made.network, 6, np.random.default_rng(0), samples=6)
    with pytest.raises(NmcError) as error:
        simulate(made, sent, timing=Jams(made))
    assert str(error.value) == (
        "loihi1: in step 2 of sample 4, both counted from 0, packets wait. Wait.")


@given(seed=st.integers(0, 2**32 - 1), room=st.sampled_from([0, 1 << 20]))
@settings(max_examples=10, deadline=None)
def test_blocks_take_what_their_frames_take_with_few_threads_or_many(seed, room):
    some, rng = program(seed), np.random.default_rng(seed)
    blocks = [frames(rng, n_senders(some), count) for count in (3, 1, 4)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mesh, "ROOM", room)
        patch.setattr(timing, "threads", lambda: 3)
        kept = CycleTiming(some)
        together = [kept.add(block).step_s for block in blocks]
    alone = [[CycleTiming(some).add(one).step_s[0] for one in frame_by_frame(block)]
             for block in blocks]
    assert [list(part) for part in together] == alone


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_packets_that_wait_make_a_step_no_shorter_than_its_busiest_core(seed):
    some = program(seed, to_core=0.0)
    block = frames(np.random.default_rng(seed), n_senders(some), 4, samples=2)
    cycle, fast = CycleTiming(some).add(block), FastTiming(some).add(block)
    assert (cycle.step_s >= work_of_cores(some, block).max(axis=1) - 1e-15).all()
    for name in ("spikes", "packets_out", "hops", "events", "packets_in", "busy_s"):
        np.testing.assert_array_equal(getattr(cycle, name), getattr(fast, name))


@given(seed=st.integers(0, 2**32 - 1), serial=st.booleans())
@settings(max_examples=15, deadline=None)
def test_slices_share_the_time_in_which_their_core_works(seed, serial):
    some = program(seed)
    flag = LOIHI.core.shared_kernels.model_copy(update={"value": serial})
    times = some.target.time_s.model_copy(update={"sequential": flag})
    some = replace(some, target=some.target.model_copy(update={"time_s": times}))
    block, cores = frames(np.random.default_rng(seed), n_senders(some), 3), some.target.n_cores
    costs = FastTiming(some).add(block)
    busy = np.bincount(some.mapping.slices.core, costs.busy_s, cores)
    np.testing.assert_allclose(busy, work_of_cores(some, block).sum(axis=0), atol=1e-15)
    assert busy.max() <= costs.step_s.sum() + 1e-15
