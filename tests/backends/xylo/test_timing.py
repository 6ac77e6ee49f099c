"""Steps of a Xylo take the cycles of its maker's formula."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.random_xylo import program_of, random_specification

from nmcompile.mapping import Program
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.simulator.fast import FastTiming
from nmcompile.target import load_target


def mapped(seed: int, chip: str) -> tuple[dict, Program]:
    """A random network on the one core of a chip."""
    spec = random_specification(seed)
    spec["alias"] = np.full_like(spec["alias"], -1)
    program = program_of(spec)
    slices = replace(program.mapping.slices, core=np.zeros_like(program.mapping.slices.core))
    return spec, replace(program, target=load_target(chip),
                         mapping=replace(program.mapping, slices=slices))


def plain_cycles(spec: dict, all_hidden: bool, channels: int, neurons: int) -> float:
    """The formula for a step in which so many channels and hidden neurons spike."""
    fed = np.count_nonzero(spec["weights_in"][:, :, 0].any(axis=0))
    heard = np.count_nonzero(spec["weights_out"].any(axis=1))
    n_in, n = spec["weights_in"].shape[:2]
    n_out = spec["weights_out"].shape[1]
    if all_hidden:
        fed = heard = n
    fan_out = np.count_nonzero(spec["weights_rec"][:, :, 0]) / n
    return (n_in + channels * fed * 3.5
            + n * (3 + 19) + neurons * (fan_out * 7 + 2 + 1)
            + neurons / n * heard * (1 + 8 * n_out) + 12 * n_out)


@pytest.mark.parametrize("chip", ["xylo_a2", "xylo_imu"])
@pytest.mark.parametrize("seed", range(6))
def test_each_step_takes_its_cycles_at_the_clock_of_the_target(chip, seed):
    spec, program = mapped(seed, chip)
    inputs = {"in": spec["input"][None].astype(np.int32)}
    timing = backend(program.target.family).timing(program)
    run = simulate(program, inputs, timing=timing, record=("spikes",))
    hidden = run.records["hidden"]["spikes"][0] > 0  # a step before the chip's
    for step in range(1, 50):
        cycles = plain_cycles(spec, chip == "xylo_a2", np.count_nonzero(spec["input"][step]),
                              np.count_nonzero(hidden[step - 1]))
        assert run.step_s[0, step] == pytest.approx(cycles / 6.25e6, rel=1e-12)
    assert run.counts.busy_s.sum() == pytest.approx(run.step_s.sum())


def test_counts_are_those_of_the_mesh_of_cores():
    spec, program = mapped(3, "xylo_a3")
    inputs = {"in": np.stack([spec["input"], spec["input"][::-1]]).astype(np.int32)}
    timing = backend(program.target.family).timing(program)
    found = simulate(program, inputs, timing=timing).counts
    wanted = simulate(program, inputs, timing=FastTiming(program)).counts
    for name in ("spikes", "packets_out", "hops", "events", "packets_in"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.events.sum() > 0


def test_steps_that_outlast_their_time_are_overruns():
    spec, program = mapped(4, "xylo_imu")
    inputs = {"in": spec["input"][None].astype(np.int32)}
    lengths = simulate(program, inputs, timing=backend("xylo").timing(program))
    assert lengths.overran is None
    dt = float(np.median(lengths.step_s))
    timed = replace(program, network=replace(program.network, dt=dt))
    run = simulate(timed, inputs, timing=backend("xylo").timing(timed))
    assert np.count_nonzero(run.overran) == np.count_nonzero(lengths.step_s > dt) > 0


def test_the_clock_that_a_network_needs_is_told_with_its_files(tmp_path):
    one_current = next(seed for seed in range(99) if random_specification(seed)["chip"] == "imu")
    spec, program = mapped(one_current, "xylo_imu")
    timed = replace(program, network=replace(program.network, dt=0.01))
    n_in, n = spec["weights_in"].shape[:2]
    needed = plain_cycles(spec, False, n_in, n) * 1.2 / 0.01 / 1e6
    assert f"steps of 0.01 s need a clock of {needed:.3g} MHz" in (
        backend("xylo").emit(timed, tmp_path)["xylo.json"])
    assert "clock" not in backend("xylo").emit(program, tmp_path)["xylo.json"]


def test_a_target_without_the_formula_has_no_time_of_its_own():
    _, program = mapped(0, "xylo_a2")
    bare = replace(program, target=program.target.model_copy(update={"cycle_formula": None}))
    assert backend("xylo").timing(bare) is None
