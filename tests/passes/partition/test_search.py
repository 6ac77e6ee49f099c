"""The search cuts populations within all limits, predicts what a step costs, and finds less."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import dense, network, neuron, port, projection, sparse, weights
from helpers.networks import every_step, small_target
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import Population
from nmcompile.ir.maps import Conv
from nmcompile.mapper import Recorded, cut, map_network
from nmcompile.mapping import Faults, Mapping, Slices, view
from nmcompile.mapping.capacity import LIMITS, demand, require_fit, slice_of_neurons
from nmcompile.mapping.constraints import Constraints
from nmcompile.passes.partition import partition, search
from nmcompile.passes.partition.boxes import RECEIVED, Boxes
from nmcompile.passes.partition.cuts import Cuts
from nmcompile.passes.partition.loads import Sums, load_of
from nmcompile.passes.route import route
from nmcompile.registry import backend
from nmcompile.target import load_target

LOIHI = backend("loihi")


def layered(seed=0, size=8):
    """A convolution, a grouped one with a stride, a sparse and a dense layer with recurrence."""
    rng = np.random.default_rng(seed)
    image = (2, size, size)
    first = Conv(weight=weights(rng, (6, 2, 3, 3)), in_shape=image, padding=(1, 1))
    second = Conv(weight=weights(rng, (6, 2, 3, 2)), in_shape=first.out_shape, stride=(2, 2),
                  padding=(1, 0), groups=3)
    n = int(np.prod(second.out_shape))
    shapes = {"a": first.out_shape, "b": second.out_shape, "c": (30,), "d": (9,)}
    return network(
        (port(image),),
        tuple(Population(name=name, shape=shape, neuron=neuron(), bias=np.zeros((), np.int32),
                         start=start)
              for start, (name, shape) in enumerate(shapes.items(), 1)),
        (projection("in", "a", first), projection("a", "b", second),
         projection("b", "c", sparse(rng, n, 30)), projection("c", "d", dense(weights(rng, (9, 30)))),
         projection("d", "d", dense(weights(rng, (9, 9))))))


def recorded(net, steps=40, seed=0, hot=1.0):
    """Random spikes; steps differ, and the first rows of images are `hot` times as active."""
    rng = np.random.default_rng(seed)
    found = {}
    for node in net.nodes:
        rate = rng.uniform(0, 0.3, (steps, 1)) * np.ones(node.size)
        if len(node.shape) == 3:
            rows, columns = node.shape[1:]
            row = np.arange(node.size) // columns % rows
            rate = np.minimum(1, rate * np.where(row < rows // 3, hot, 1.0))
        found[node.name] = rng.random((steps, node.size)) < rate
    return found


def plain_work(net, target, slices, together, spikes):
    """(cores, 2, steps) seconds of sending and receiving, and joules of a step, axon by axon."""
    time, energy, axons = target.time_s, target.energy_j, route(net, slices)
    steps, index = len(next(iter(spikes.values()))), {p.name: i for i, p in enumerate(net.populations)}
    work, joules = np.zeros((together.max() + 1, 2, steps)), 0.0
    for name, i in index.items():
        owner = together[slice_of_neurons(net, slices, i)]
        fired = spikes[name]
        for core in np.unique(owner):
            mine = fired[:, owner == core]
            work[core, 0] += mine.shape[1] * time.neuron_update.value
            work[core, 0] += mine.sum(axis=1) * time.spike_out.value
        joules += fired.shape[1] * energy.neuron_update.value
        joules += fired.sum(axis=1).mean() * energy.spike_out.value
    for entry, axon in zip(net.projections, axons, strict=True):
        for source, fired in enumerate(spikes[entry.source].T):
            for k in range(axon.start[source], axon.start[source + 1]):
                to, synapses = together[axon.slice[k]], axon.synapses[k]
                work[to, 1] += fired * (time.packet_in.value + synapses * time.synaptic_event.value)
                joules += fired.mean() * (energy.packet_out.value + energy.packet_in.value
                                          + synapses * energy.synaptic_event.value)
                if entry.source in index:
                    owner = together[slice_of_neurons(net, slices, index[entry.source])[source]]
                    work[owner, 0] += fired * time.packet_out.value
    return work, joules


def without_sparse(net):
    """The same with sparse projections left out, whose packets are bounded and not counted."""
    kept = tuple(p for p in net.projections if p.map.kind != "sparse")
    return replace(net, projections=kept)


def halved(net, population, axis, at):
    """Whole populations as slices, but for one that is cut in two: the last two slices."""
    views = [view(p.shape) for i, p in enumerate(net.populations) if i != population]
    numbers = [i for i in range(len(net.populations)) if i != population]
    low = np.zeros((len(views) + 2, 3), np.int64)
    high = np.array([*views, *[view(net.populations[population].shape)] * 2])
    high[-2, axis] = low[-1, axis] = at
    return Slices(population=np.array([*numbers, population, population], np.int32), low=low,
                  high=high, core=np.arange(len(low), dtype=np.int32))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(0, 3), st.floats(0, 0.99))
def test_loads_of_boxes_are_those_of_their_axons(seed, which, where):
    net, target = layered(seed % 5), load_target("loihi1")
    entry, spikes = net.projections[which], recorded(net, seed=seed)
    population = [p.name for p in net.populations].index(entry.target)
    cuts = [(axis, at) for axis, n in enumerate(view(net.shape_of(entry.target)))
            for at in range(1, n)]
    slices = halved(net, population, *cuts[int(where * len(cuts))])
    net = replace(net, projections=(entry,))
    axons = route(net, slices)[0]
    source = np.repeat(np.arange(len(axons.start) - 1), np.diff(axons.start))
    fired = spikes[entry.source][:, source].astype(float)
    images = spikes[entry.source].reshape(-1, *view(net.shape_of(entry.source)))
    load = load_of(net, entry, images, Sums(images.astype(np.float32)))
    packets, events = load.received(slices.low[-2:], slices.high[-2:])
    received, bits = load.stored(slices.low[-2:], slices.high[-2:], lambda n: LOIHI.row_bits(
        entry.format, n, indexed=entry.map.kind != "dense"))
    needs = demand(net, Mapping(slices=slices, axons=(axons,), rates=every_step(net)), target, LOIHI)
    for box in (0, 1):
        number = len(slices) - 2 + box
        mine = axons.slice == number
        exact = (fired * mine).sum(axis=1)
        np.testing.assert_allclose(events[box], (fired * axons.synapses * mine).sum(axis=1))
        assert np.all(packets[box] >= exact)
        assert received[box] >= needs.input_axons[number]
        assert bits[box] >= needs.synapse_bits[number]
        if entry.map.kind == "dense" or which == 0:
            np.testing.assert_array_equal(packets[box], exact)
            assert received[box] == needs.input_axons[number]
            assert bits[box] == needs.synapse_bits[number]


@pytest.mark.parametrize("limits", [{"neurons": 40}, {"input_axons": 60, "output_axons": 400},
                                    {"synapse_bits": 20000, "neurons": 100}])
def test_all_cores_keep_all_limits(limits):
    net, target = layered(), small_target(shared_kernels=False, **limits)
    found = search(net, target, LOIHI, recorded(net))
    axons = route(net, found.slices)
    placed = replace(found.slices, core=found.together.astype(np.int32))
    mapping = Mapping(slices=placed, axons=axons, rates=every_step(net))
    require_fit(net, mapping, target, demand(net, mapping, target, LOIHI))
    for i, population in enumerate(net.populations):
        assert slice_of_neurons(net, found.slices, i).min() >= 0
        assert found.slices.sizes()[found.slices.population == i].sum() == population.size


def needs_of(net, target, found):
    """What the slices of `found` need by their axons, all of them on cores that keep all limits."""
    placed = replace(found.slices, core=found.together.astype(np.int32))
    mapping = Mapping(slices=placed, axons=route(net, found.slices), rates=every_step(net))
    needs = demand(net, mapping, target, LOIHI)
    require_fit(net, mapping, target, needs)
    return needs


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.sampled_from([1, 4, 512]))
def test_needs_kept_through_any_cuts_are_those_of_the_routed_slices(seed, sources):
    rng, net = np.random.default_rng(seed), without_sparse(layered(seed % 3))
    target = small_target(axon_sources=sources)
    boxes = Boxes(net, target, LOIHI, recorded(net, steps=4), cores=1000,
                  kinds=np.zeros(len(net.populations), np.int64))
    cuts = Cuts(boxes)
    for _ in range(12):
        splits = cuts.of(int(rng.integers(len(boxes.core))))
        if splits:
            cuts.apply(splits[int(rng.integers(len(splits)))])
    order = np.lexsort((*boxes.low.T[::-1], boxes.population))
    slices = boxes.slices()[0]
    mapping = Mapping(slices=slices, axons=route(net, slices), rates=every_step(net))
    needs = demand(net, mapping, target, LOIHI)
    for column, limit in enumerate(LIMITS):
        kept, exact = boxes.needs[order, column], getattr(needs, limit)
        assert np.all(kept >= exact), limit
        if limit in ("neurons", "synapse_bits"):
            np.testing.assert_array_equal(kept, exact)
    dense_only = boxes.population[order] == 3
    np.testing.assert_array_equal(boxes.needs[order, RECEIVED][dense_only],
                                  needs.input_axons[dense_only])


@pytest.mark.parametrize("sources", [4, 16])
def test_axons_that_neurons_share_are_counted_once(sources):
    target = small_target(axon_sources=sources, input_axons=200 // sources, neurons=60,
                          output_axons=600 // sources)
    net = without_sparse(layered())
    found = search(net, target, LOIHI, recorded(net, hot=4.0))
    needs = needs_of(net, target, found)
    assert len(found.slices) > len(net.populations)
    alone = needs_of(net, small_target(axon_sources=1, neurons=60), found)
    assert alone.input_axons.max() > needs.input_axons.max()
    with pytest.raises(NmcError, match="input axons on one core"):
        search(net, small_target(axon_sources=1, input_axons=5), LOIHI, recorded(net))


def test_reserved_and_dead_cores_are_not_counted_on():
    net, target = layered(size=16), few_cores(small_target(shared_kernels=False, neurons=400), 3)
    spikes = recorded(net, hot=4.0)
    constraints = Constraints(reserved=np.array([0, 1, 2], np.int32),
                              faults=Faults(cores=np.array([7], np.int32)))
    every = len(np.unique(cut(net, target, LOIHI, every_step(net), None, Recorded(typical=spikes)).together))
    program, _ = map_network(net, target, LOIHI, every_step(net), constraints, Recorded(typical=spikes))
    used = np.unique(program.mapping.slices.core)
    assert every > 8 >= len(used)
    assert not np.intersect1d(used, [0, 1, 2, 7]).size


def test_layers_come_together_where_there_are_more_of_them_than_cores():
    net, target = layered(), few_cores(small_target(shared_kernels=False), 1)
    spikes = recorded(net)
    found = search(net, target, LOIHI, spikes, cores=2)
    assert len(np.unique(found.together)) == 2
    needs_of(net, target, found)


def test_energy_and_time_of_a_step_are_predicted():
    net, target = without_sparse(layered()), small_target(shared_kernels=False, neurons=60)
    spikes = recorded(net)
    found = search(net, target, LOIHI, spikes)
    work, joules = plain_work(net, target, found.slices, found.together, spikes)
    points = np.array(target.time_s.barrier.value)
    tiles = -(-len(work) // target.board.cores_per_tile.value)
    step = work.max(axis=(0, 1)).mean() + np.interp(tiles, points[:, 0], points[:, 1])
    assert found.step_s == pytest.approx(step, rel=0.02)
    static = target.power_w.static.value * found.step_s
    assert found.energy_j == pytest.approx(joules + static, rel=0.02)


def few_cores(target, tiles):
    """`target` with one chip of `tiles` by 1 tiles."""
    values = {"chips": 1, "mesh_width": tiles, "mesh_height": 1}
    changed = {k: getattr(target.board, k).model_copy(update={"value": v}) for k, v in values.items()}
    return target.model_copy(update={"board": target.board.model_copy(update=changed)})


def test_energy_times_delay_is_less_than_of_the_coarsest_cut():
    net, target = layered(size=16), small_target(shared_kernels=False, neurons=300)
    spikes = recorded(net, hot=4.0)
    found = search(net, target, LOIHI, spikes)
    coarse = partition(net, target, LOIHI)
    work, joules = plain_work(net, target, coarse, np.arange(len(coarse)), spikes)
    points = np.array(target.time_s.barrier.value)
    tiles = -(-len(work) // target.board.cores_per_tile.value)
    step = work.max(axis=(0, 1)).mean() + np.interp(tiles, points[:, 0], points[:, 1])
    static = target.power_w.static.value * step
    assert found.energy_j * found.step_s < 0.8 * (joules + static) * step


def test_slices_share_cores_where_there_are_few():
    net = layered(size=16)
    target = few_cores(small_target(shared_kernels=False, neurons=400), 2)
    found = search(net, target, LOIHI, recorded(net, hot=4.0))
    assert len(np.unique(found.together)) <= 8
    assert len(found.slices) > 8


def test_a_network_that_needs_more_cores_than_there_are_is_refused():
    net = layered()
    target = few_cores(small_target(shared_kernels=False, neurons=30), 2)
    with pytest.raises(NmcError) as error:
        search(net, target, LOIHI, recorded(net))
    assert str(error.value) == (
        "network: does not fit the 8 cores of loihi2. Use a target with more chips.")


def test_a_neuron_that_fits_no_core_is_refused():
    net, target = layered(), small_target(shared_kernels=False, input_axons=20)
    with pytest.raises(NmcError, match="c: needs 46 input axons on one core, loihi2 has 20"):
        search(net, target, LOIHI, recorded(net))


def test_the_same_spikes_give_the_same_cuts():
    net, target = layered(), small_target(shared_kernels=False, neurons=60)
    first, second = (search(net, target, LOIHI, recorded(net)) for _ in range(2))
    np.testing.assert_array_equal(first.slices.low, second.slices.low)
    np.testing.assert_array_equal(first.together, second.together)
