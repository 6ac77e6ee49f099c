"""Networks on machines of routers: all spikes come to the cores that need them, whatever is dead."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from helpers.networks import conv_network, machine, spikes
from helpers.random_multicast import delivered
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapper import Recorded, map_network
from nmcompile.mapping import Faults, Frames, rates_by_name
from nmcompile.mapping.capacity import CapacityError, slice_of_neurons
from nmcompile.mapping.constraints import Constraints, read_constraints
from nmcompile.mapping.faults import both_ways, random_faults
from nmcompile.mapping.files import load_program, save_program
from nmcompile.mapping.multicast import check
from nmcompile.mapping.multicast.machine import machine_of
from nmcompile.mapping.multicast.program import sent_in, ways_in
from nmcompile.mapping.traffic import copies_between
from nmcompile.mapping.verify import verify_program
from nmcompile.passes.place.machine_board import machine_board
from nmcompile.passes.route import multicast
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.report import mapping_figures
from nmcompile.simulator import expected_traffic, simulate
from nmcompile.simulator.multicast import MulticastTiming, MulticastTraffic
from nmcompile.target.topology import tile_number

WIDE = machine(4, 4, missing=[(3, 0), (0, 3)], cores=3, neurons=16)
SPARE_BITS = 2  # of the keys of `machine`


@pytest.fixture(scope="module")
def compiled():
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, WIDE)


@pytest.fixture(scope="module")
def program(compiled):
    return compiled.program


def mapped(program, target, **constraints):
    return map_network(program.network, target, backend("loihi"), program.mapping.rates,
                       Constraints(**constraints))


def senders_in_plain_python(program):
    """For each sender in order: its chip, its name and lines, the (chip, core) pairs it reaches."""
    network, mapping, target = program.network, program.mapping, program.target
    slices, names = mapping.slices, [p.name for p in network.populations]
    place = [(int(core) // target.cores_per_chip, 1 + int(core) % target.cores_per_chip)
             for core in slices.core]
    lines = [(names[slices.population[i]],
              slices.members(network.populations[slices.population[i]].shape, i).tolist())
             for i in range(len(slices))]
    chips = [chip for chip, _ in place]
    run_length = target.core.neurons.value
    for port in network.inputs:
        for first in range(0, port.size, run_length):
            lines.append((port.name, list(range(first, min(first + run_length, port.size)))))
            chips.append(0)
    for chip, (name, members) in zip(chips, lines, strict=True):
        wanted = {place[end] for projection, axons in
                  zip(network.projections, mapping.axons, strict=True) if projection.source == name
                  for line in members for end in axons.slice[axons.start[line]:axons.start[line + 1]]}
        yield chip, (name, members), wanted


@st.composite
def boards(draw):
    """Machines of random shape, links and holes, large enough for the network."""
    width, height = draw(st.integers(2, 4)), draw(st.integers(3, 5))
    places = [(x, y) for y in range(height) for x in range(width)][1:]
    missing = draw(st.lists(st.sampled_from(places), max_size=3, unique=True))
    return machine(width, height, missing=missing, cores=draw(st.integers(5, 17)),
                   links=draw(st.sampled_from(["mesh", "triangular"])), wrap=draw(st.booleans()),
                   neurons=draw(st.sampled_from([16, 24, 60])))


@settings(max_examples=12, deadline=None)
@given(target=boards(), share=st.sampled_from([0.0, 0.05, 0.2]), seed=st.integers(0, 1000))
def test_every_spike_reaches_its_cores_once_over_living_parts_and_changes_nothing(
    program, target, share, seed
):
    faults = random_faults(target, share, share, seed)
    try:
        moved, _ = mapped(program, target, faults=faults)
    except CapacityError as error:  # faults may leave less than the network needs
        assert error.limit == "cores"  # noqa: PT017
        assume(False)
    verify_program(moved)
    assert not set(moved.mapping.slices.core.tolist()) & set(faults.cores.tolist())
    assert expected_traffic(moved).loads[faults.links].sum() == 0
    routing, board = moved.mapping.routing, machine_of(target, faults)
    senders = list(senders_in_plain_python(moved))
    assert len(senders) == len(routing.keys.key)
    for key, (chip, (_, members), wanted) in zip(routing.keys.key, senders, strict=True):
        for line in {0, len(members) - 1} if wanted else ():
            packet = int(key) + (line << SPARE_BITS)
            assert delivered(board, routing.tables, chip, packet) == wanted
    inputs = {"input": spikes(program.network, samples=2, steps=8)["input"].astype(np.int32)}
    before = simulate(program, inputs, record=("spikes", "v"))
    after = simulate(moved, inputs, record=("spikes", "v"))
    for name, record in before.records.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(after.records[name][variable], values)


def test_a_packet_counts_once_on_each_link_and_at_each_core(program):
    inputs = {"input": spikes(program.network, samples=1, steps=5)["input"].astype(np.int32)}
    found = simulate(program, inputs, record=("spikes",))
    steps = found.step_s.shape[1]
    records = run(program.network, inputs, steps).records
    fired = {"input": inputs["input"], **{n: r["spikes"] for n, r in records.items()}}
    counts = {name: np.count_nonzero(values.reshape(-1, values[0, 0].size), axis=0)
              for name, values in fired.items()}
    board, tables = machine_of(program.target, program.mapping.faults), program.mapping.routing.tables
    sent = heard = crossed = 0
    senders = zip(program.mapping.routing.keys.key, senders_in_plain_python(program), strict=True)
    for key, (chip, (name, members), wanted) in senders:
        spikes_of = int(counts[name][members].sum()) if wanted else 0
        sent += spikes_of
        heard += spikes_of * len(wanted)
        crossed += spikes_of * (len(routers_passed(board, tables, chip, int(key))) - 1)
    assert sent > 0
    assert crossed > 0
    assert found.counts.packets_out.sum() == sent
    assert found.counts.packets_in.sum() == heard
    assert found.counts.hops.sum() == crossed
    assert found.counts.hops[:, :2].sum() == 0


def routers_passed(board, tables, chip, key):
    """Chips that a packet comes to, each with its hops, by the rules of the router."""
    passed, todo = [], [(chip, None, 0)]
    while todo:
        chip, link, hops = todo.pop()
        passed.append((chip, hops))
        route = 1 << link if link is not None else 0
        for entry in range(tables.start[chip], tables.start[chip + 1]):
            if key & int(tables.mask[entry]) == int(tables.key[entry]):
                route = int(tables.route[entry])
                break
        todo += [(int(board.neighbour[chip, out]), out, hops + 1)
                 for out in range(6) if route >> out & 1]
    return passed


def test_a_step_waits_for_the_farthest_core_that_a_spike_goes_to(program):
    board, routing = machine_of(program.target, program.mapping.faults), program.mapping.routing
    first = len(program.mapping.slices)  # the sender of the first lines
    passed = routers_passed(board, routing.tables, 0, int(routing.keys.key[first]))
    traffic = MulticastTraffic(program)
    quiet = Frames(samples=1, start=np.zeros(2, np.int64), sender=np.zeros(0, np.int32),
                   payload=np.zeros(0, np.int32))
    assert traffic.tally(quiet, 0, 1).longest[0] == 0
    spike = replace(quiet, start=np.array([0, 1]), sender=np.zeros(1, np.int32),
                    payload=np.ones(1, np.int32))
    tally = traffic.tally(spike, 0, 1)
    assert tally.longest[0] == max(hops for _, hops in passed)
    assert tally.loads.sum() == len(passed) - 1
    assert tally.loads.max() == 1
    after, before = (MulticastTiming(program).add(block).step_s for block in (spike, quiet))
    assert after >= before


def test_no_two_slices_would_lie_nearer_in_each_others_place(program):
    packets, _ = copies_between(
        program.network, program.mapping.slices, program.mapping.axons,
        rates_by_name(program.network, program.mapping.rates), WIDE)
    pairs, core = packets[:-1].tocoo(), program.mapping.slices.core
    table = machine_board(WIDE, np.ones(WIDE.n_cores, bool), Faults()).table

    def apart(a, b):
        return table[a, b // 4, b % 4 - a % 4 + 3]

    def joules(cores):
        tile = tile_number(WIDE, cores)
        inside = (pairs.data * apart(tile[pairs.row], tile[pairs.col])).sum()
        return inside + (packets[[-1]].toarray()[0] * apart(0, tile)).sum()

    def swapped(a, b):
        cores = core.copy()
        cores[a], cores[b] = core[b], core[a]
        return cores

    assert joules(core) < joules(np.random.default_rng(0).permutation(core))
    least = min(joules(swapped(a, b)) for a, b in combinations(range(len(core)), 2))
    assert least >= joules(core) * (1 - 1e-9)


def test_expected_traffic_adds_up_to_the_hops_of_all_links(program):
    told = expected_traffic(program)
    assert told.loads.sum() > 0
    assert told.loads.sum() == pytest.approx(told.hops.sum())


def test_the_figures_count_a_packet_once_and_its_copies_apart(compiled):
    program, rates = compiled.program, rates_by_name(
        compiled.program.network, compiled.program.mapping.rates)
    sent = [(float(rates[name].reshape(-1)[members].sum()), wanted)
            for _, (name, members), wanted in senders_in_plain_python(program)]
    figures = mapping_figures(program, compiled.demand)
    assert figures["packets"] == pytest.approx(sum(rate for rate, wanted in sent if wanted))
    assert sum(row["copies"] for row in figures["traffic"]) == pytest.approx(
        sum(rate * len(wanted) for rate, wanted in sent))
    assert figures["packets"] < sum(row["copies"] for row in figures["traffic"])


def test_the_figures_name_the_chips_with_most_entries(compiled):
    figures = mapping_figures(compiled.program, compiled.demand)
    entries = compiled.program.mapping.routing.tables.entries()
    assert [row["entries"] for row in figures["routers"]] == sorted(entries[entries > 0])[::-1][:8]
    assert figures["routers"][0]["have"] == 1023
    assert {row["direction"] for row in figures["links"]} <= {
        "east", "northeast", "north", "west", "southwest", "south"}
    assert [c.text for c in compiled.checks][-1].endswith(
        f"; every key reaches its cores through {entries.sum():,} routing entries")


def test_the_same_network_gets_the_same_keys_and_tables(program):
    again, _ = mapped(program, WIDE)
    for part in ("keys", "tables"):
        for name, values in vars(getattr(program.mapping.routing, part)).items():
            found = getattr(getattr(again.mapping.routing, part), name)
            assert found.tobytes() == values.tobytes()


def test_a_routed_program_loads_back_equal(program, tmp_path):
    save_program(program, tmp_path / "a.h5")
    loaded = load_program(tmp_path / "a.h5", backend("loihi").neurons)
    save_program(loaded, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_table_that_is_too_long_is_refused_by_chip(program):
    target = machine(4, 4, missing=[(3, 0), (0, 3)], cores=3, neurons=16, entries=1)
    with pytest.raises(CapacityError, match=r"network: chip \(\d, \d\) needs \d routing entries, "
                       "it has 1. Use more chips") as error:
        mapped(program, target)
    assert error.value.limit == "router entries"


def test_a_core_has_one_block_of_keys_and_an_axon_for_each_slice_that_it_hears(compiled):
    program, needs = compiled.program, compiled.demand
    network, axons = program.network, program.mapping.axons
    names = [p.name for p in network.populations]
    heard = [set() for _ in range(len(program.mapping.slices))]
    sends = np.zeros(len(heard), int)
    for k, (projection, axon) in enumerate(zip(network.projections, axons, strict=True)):
        line = np.repeat(np.arange(len(axon.start) - 1), np.diff(axon.start))
        inside = projection.source in names
        owner = (slice_of_neurons(network, program.mapping.slices, names.index(projection.source))
                 if inside else np.arange(len(axon.start) - 1) // 16)
        for end, source in zip(axon.slice.tolist(), owner[line].tolist(), strict=True):
            heard[end].add((k, source))
            if inside:
                sends[source] = 1
    np.testing.assert_array_equal(needs.output_axons, sends)
    np.testing.assert_array_equal(needs.input_axons, [len(ways) for ways in heard])


def test_a_dead_chip_holds_nothing_and_nothing_passes_it(program, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('[faults]\nchips = ["1", "4"]\nlinks = ["0,0 northeast"]\n')
    asked = read_constraints(path, program.network, WIDE)
    assert asked.faults.cores.tolist() == [3, 4, 5, 12, 13, 14]
    moved, _ = mapped(program, WIDE, faults=asked.faults)
    loads = expected_traffic(moved).loads.reshape(-1, 6)
    assert loads[1].sum() == loads[5].sum() == loads[0, 1] == 0
    assert loads[0, 2] > 0


def test_a_board_whose_first_chip_is_dead_is_refused(program, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('[faults]\nchips = ["0-1"]\n')
    with pytest.raises(NmcError, match="has chip 0 of loihi2, where spikes enter"):
        read_constraints(path, program.network, WIDE)


def test_the_figures_tell_the_hops_that_faults_cost(program):
    dead = both_ways(WIDE, np.array([0, 1, 6]))  # two ways out of the first chip, one of the second
    moved, needs = mapped(program, WIDE, faults=Faults(links=dead))
    figures = mapping_figures(moved, needs)
    told = figures["faults"]
    assert (told["cores"], told["links"], told["cut_off"], told["bent"]) == (0, 6, 0, None)
    whole = replace(moved, mapping=replace(
        moved.mapping, faults=Faults(),
        routing=multicast.routing(moved.network, replace(moved.mapping, faults=Faults()), WIDE)))
    assert told["hops_straight"] == pytest.approx(mapping_figures(whole, needs)["hops"])
    assert figures["hops"] > told["hops_straight"]


def test_a_link_that_routers_do_not_have_is_refused(program, tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text('[faults]\nlinks = ["2,0 east"]\n')
    with pytest.raises(NmcError, match="'2,0 east' leads from or to no tile of loihi2, which has 4 x 4"):
        read_constraints(path, program.network, WIDE)


def test_chips_that_are_cut_off_are_not_used(program):
    target = machine(6, 1, links="mesh", cores=17, neurons=60)
    east_of_0 = Faults(links=both_ways(target, np.array([0])))
    with pytest.raises(CapacityError, match="of which 17 are free"):
        mapped(program, machine(6, 1, links="mesh", cores=17, neurons=16), faults=east_of_0)
    moved, _ = mapped(program, target, faults=east_of_0)
    assert moved.mapping.slices.core.max() < 17


def test_the_search_for_the_least_energy_is_refused(program):
    sent = {node.name: np.zeros((1, node.size), np.int32) for node in program.network.nodes}
    with pytest.raises(NmcError) as error:
        map_network(program.network, WIDE, backend("loihi"), program.mapping.rates, None,
                    Recorded(typical=sent))
    assert str(error.value) == ("--search: does not know the ways of packets that routers copy, as "
                                "those of loihi2 do. Leave it out.")


@pytest.mark.parametrize(("part", "field", "value", "message"), [
    ("keys", "key", lambda v: v[::-1].copy(), "routing: "),
    ("keys", "key", lambda v: v[:-1], "routing: its words differ in number"),
    ("keys", "mask", lambda v: v | np.uint32(0xFFFF_FFF0), "routing: keys are missing"),
    ("keys", "mask", lambda v: v ^ np.uint32(0x8000_0000), "routing: "),
    ("tables", "key", lambda v: v.astype(np.int64), "not of 32-bit words"),
    ("tables", "route", lambda v: v ^ np.uint32(1 << 6), "routing: "),
    ("tables", "route", lambda v: np.full_like(v, 0xFFFF_FFFF), "routing: "),
    ("tables", "route", lambda v: v | np.uint32(0b111111), "routing: a packet "),
    ("tables", "mask", lambda v: v | np.uint32(1), "an entry tells keys of one neuron apart"),
    ("tables", "start", lambda v: v[::-1].copy(), "its tables are not one for each chip"),
    ("tables", "start", lambda v: v - 1, "its tables are not one for each chip"),
])
def test_tampered_keys_and_tables_are_refused(program, part, field, value, message):
    routing = program.mapping.routing
    values = getattr(routing, part)
    bad = replace(routing, **{part: replace(values, **{field: value(getattr(values, field))})})
    with pytest.raises(NmcError) as error:
        verify_program(replace(program, mapping=replace(program.mapping, routing=bad)))
    assert message in str(error.value)


def test_ways_are_the_same_however_many_packets_are_walked_at_once(program, monkeypatch):
    sent = sent_in(program.network, program.mapping, program.target)
    whole, walked = ways_in(program, sent), []
    seen = check._steps
    monkeypatch.setattr(check, "AT_ONCE", 3 * len(sent.machine))
    monkeypatch.setattr(check, "_steps", lambda machine, made, key, chip: (
        walked.append(len(key)), seen(machine, made, key, chip))[1])
    parts = ways_in(program, sent)
    assert len(walked) > 1
    assert max(walked) == 3
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(parts, name), values)


def test_a_dead_link_of_a_place_without_a_chip_is_refused(program):
    for link in (3 * 6 + 2, 1 * 6 + 5):  # (3, 0) is missing; south of (1, 0) nothing is
        dead = Faults(links=np.array([link], np.int32))
        with pytest.raises(NmcError) as error:
            verify_program(replace(program, mapping=replace(program.mapping, faults=dead)))
        assert str(error.value) == "mapping: a dead link leads from or to no tile."


def test_keys_that_are_longer_than_a_packets_are_refused(program):
    def of_bits(n):
        router = program.target.router
        bits = router.key_bits.model_copy(update={"value": n})
        target = program.target.model_copy(
            update={"router": router.model_copy(update={"key_bits": bits})})
        return replace(program, target=target)

    keys = program.mapping.routing.keys
    needed = int((keys.key | ~keys.mask).max()).bit_length()
    verify_program(of_bits(needed))
    with pytest.raises(NmcError) as error:
        verify_program(of_bits(needed - 1))
    assert str(error.value) == (
        f"routing: a key has more than the {needed - 1} bits of a packet's.")


def test_a_routing_without_routers_or_routers_without_one_are_refused(program):
    bare = replace(program, mapping=replace(program.mapping, routing=None))
    with pytest.raises(NmcError, match="but not both"):
        verify_program(bare)
    with pytest.raises(NmcError, match="but not both"):
        verify_program(replace(program, target=program.target.model_copy(update={"router": None})))
