"""Energy by constant: it adds up, and its range holds whatever the constants may be."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.report.energy import by_constant, by_core, energies, outside
from nmcompile.simulator import (
    KIND_OF,
    KINDS,
    TIMINGS,
    energy_by_slice,
    ledger,
    simulate,
    time_ratios,
)
from nmcompile.target import load_target

TOLD = {"low": None, "high": None, "spread": "of this test"}


def with_errors(target, **errors):
    """`target` whose constants of time, energy and power may be wrong by the share of their table."""
    changed = {}
    for table, error in errors.items():
        old = getattr(target, table)
        changed[table] = old.model_copy(update={
            name: constant.model_copy(update={**TOLD, "error": error})
            for name, constant in old if constant is not None})
    return target.model_copy(update=changed)


def scaled(target, rng):
    """`target` with each constant that has an error somewhere within it."""
    changed = {}
    for table in ("time_s", "energy_j", "power_w"):
        values = {}
        for name, constant in getattr(target, table):
            if constant is not None:
                share = rng.uniform(*constant.ratios)
                value = ([(tiles, share * s) for tiles, s in constant.value]
                         if name == "barrier" else share * constant.value)
                values[name] = constant.model_copy(update={"value": value})
        changed[table] = getattr(target, table).model_copy(update=values)
    return target.model_copy(update=changed)


@pytest.fixture(scope="module")
def sure():
    """A run on several chips whose constants all have errors, and its ledger."""
    made = program(relayed(3), "loihi1", cut=2)
    made = replace(made, target=with_errors(made.target, time_s=0.2, energy_j=0.1, power_w=0.3))
    sent = payloads(made.network, 12, np.random.default_rng(0), samples=3)
    run = simulate(made, sent)
    return made, sent, run, ledger(made, run)


def test_constants_kinds_layers_and_cores_add_up_to_the_same_energy(sure):
    made, _, run, book = sure
    total = energies(book, slice(None))["energy_j"]
    cores, rows = by_core(made, run, book), by_constant(made, book)
    assert total["total"] == pytest.approx(sum(total[kind] for kind in KINDS))
    for kind in KINDS:
        assert sum(cores[kind]) == pytest.approx(total[kind])
        assert sum(r["energy_j"] for r in rows if r["kind"] == kind) == pytest.approx(total[kind])
        assert energy_by_slice(made, run)[kind].sum() == pytest.approx(total[kind])
    assert total["link"] > 0
    assert cores["core"][-1] is None
    assert sum(cores["busy_s"]) == pytest.approx(run.counts.busy_s.sum())


def test_energy_and_time_stay_in_their_range_wherever_the_constants_are_in_theirs(sure):
    made, sent, run, book = sure
    bounds, rng = energies(book, slice(None))["energy_range_j"], np.random.default_rng(1)
    low, high = np.array(time_ratios(made.target, run)) * run.step_s.sum()
    for _ in range(20):
        other = replace(made, target=scaled(made.target, rng))
        again = simulate(other, sent)
        assert low <= again.step_s.sum() <= high
        for kind, joules in energies(ledger(other, again), slice(None))["energy_j"].items():
            assert bounds[kind]["low"] <= joules * (1 + 1e-12)
            assert joules <= bounds[kind]["high"] * (1 + 1e-12)


def test_the_range_is_that_of_all_constants_at_one_end(sure):
    _, _, _, book = sure
    figures = energies(book, slice(None))
    for kind, share in (("synapse", 0.1), ("link", 0.1), ("static", 0.3 + 0.2 + 0.06)):
        found = figures["energy_range_j"][kind]["high"] / figures["energy_j"][kind]
        assert found == pytest.approx(1 + share)


@pytest.mark.parametrize("name", sorted(KIND_OF))
def test_one_constant_of_unknown_error_leaves_its_kind_and_the_total_without_a_range(sure, name):
    made, _, run, _ = sure
    table, field = name.split(".")
    old = getattr(made.target, table)
    unknown = getattr(old, field).model_copy(
        update={"error": None, "spread": None, "value": 1e-9})
    target = made.target.model_copy(
        update={table: old.model_copy(update={field: unknown})})
    ranges = energies(ledger(replace(made, target=target), run), slice(None))["energy_range_j"]
    assert {kind for kind, ends in ranges.items() if ends is None} == {"total", KIND_OF[name]}


def test_without_an_error_of_times_only_the_static_energy_has_no_range(sure):
    made, _, run, _ = sure
    hop = made.target.time_s.hop_chip.model_copy(update={"error": None, "spread": None})
    times = made.target.time_s.model_copy(update={"hop_chip": hop})
    target = made.target.model_copy(update={"time_s": times})
    assert np.isnan(time_ratios(target, run)).all()
    ranges = energies(ledger(replace(made, target=target), run), slice(None))["energy_range_j"]
    assert {kind for kind, ends in ranges.items() if ends is None} == {"total", "static"}


def test_steps_that_a_timer_ends_are_as_sure_as_the_timer(sure):
    made, sent, _, _ = sure
    tick = made.target.time_s.hop_x.model_copy(update={"value": 1.0, "error": 0.0})
    times = made.target.time_s.model_copy(update={"tick": tick})
    timed = replace(made, target=made.target.model_copy(update={"time_s": times}))
    assert time_ratios(timed.target, simulate(timed, sent)) == (1.0, 1.0)


@pytest.mark.parametrize("name", ["truenorth", "spinnaker1"])
def test_steps_of_a_timer_are_as_sure_as_it_whatever_order_they_are_summed_in(sure, name):
    """Samples that stop early leave zeros between their steps, and sums of 1 ms round."""
    _, _, run, _ = sure
    target, rng, rounded_up = load_target(name), np.random.default_rng(4), 0
    tick = target.time_s.tick
    for _ in range(60):
        stopped = np.arange(rng.integers(50, 200)) >= rng.integers(20, 198, (31, 1))
        step_s = np.where(stopped, 0.0, tick.value)
        rounded_up += step_s.sum() > step_s[~stopped].sum()
        timed = replace(run, step_s=step_s, timing="fast" if name == "truenorth" else "timer loop")
        assert time_ratios(target, timed) == tick.ratios == (1.0, 1.0)
    assert rounded_up


def test_steps_of_a_target_without_times_of_work_have_no_error_of_them(sure):
    _, _, run, _ = sure
    free = {name: constant.model_copy(update={"value": [(1, 0.0)] if name == "barrier" else 0.0})
            for name, constant in sure[0].target.time_s if constant is not None}
    target = sure[0].target
    target = target.model_copy(update={"time_s": target.time_s.model_copy(update=free)})
    assert time_ratios(target, run) == (1.0, 1.0)


def test_what_is_outside_of_the_chips_stands_apart(sure):
    made, sent, run, _ = sure
    found = outside(made, run)
    chips = len(np.unique(made.mapping.slices.core // made.target.cores_per_chip))
    seconds = run.step_s.sum()
    assert found["boundary"] == made.target.io.boundary.value
    assert found["energy_j"]["processors"] == pytest.approx(0.065 * chips * seconds)
    assert chips == 8
    assert found["energy_range_j"]["processors"] is None
    bare = replace(made, target=made.target.model_copy(update={"io": None}))
    assert outside(bare, run)["boundary"] is None
    assert outside(bare, run)["energy_j"] == {}
    small = program(made.network, "loihi1")
    found = outside(small, simulate(small, sent))
    assert found["energy_j"]["unused_chips"] == pytest.approx(
        7 * 0.1044 / 0.065 * found["energy_j"]["processors"])


@pytest.mark.parametrize("name", ["fast", "cycle"])
def test_on_one_chip_of_loihi1_sources_give_every_figure_a_range(name):
    made = program(relayed(3), "loihi1")
    sent = payloads(made.network, 12, np.random.default_rng(0))
    run = simulate(made, sent, timing=TIMINGS[name](made))
    assert time_ratios(made.target, run) == pytest.approx((1 - 0.243, 1 + 0.243))
    figures = energies(ledger(made, run), slice(None))
    for kind, ends in figures["energy_range_j"].items():
        assert ends["low"] <= figures["energy_j"][kind] <= ends["high"]
    static = figures["energy_range_j"]["static"]["low"] / figures["energy_j"]["static"]
    assert static == pytest.approx(0.029 / 0.1044 * (1 - 0.243))
