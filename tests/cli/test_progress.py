"""What is told of long work: live on a terminal, in lines where there is none."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from helpers.terminal import ESCAPE, HIDE, SHOW, in_terminal

import nmcompile as api
from nmcompile.cli import _progress
from nmcompile.cli._meter import Meter, counted, duration, line_of
from nmcompile.cli._progress import stages_bar

EXAMPLES = Path(str(files("nmcompile_examples")))
TEST = EXAMPLES / "digits_test.npz"


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def meter(clock):
    """At a fifth of the work, which took ten seconds."""
    made = Meter("simulate", [("input", 10), ("lif1", 100), ("lif2", 50)])
    clock[0] = 10.0
    made(200, 1000)
    made.spiked(np.array([1000, 4000, 0]))
    return made


def test_a_stage_is_told_only_where_the_last_line_is_long_ago(capsys, clock):
    with stages_bar() as tell:
        for seconds, stage in ((1, "load"), (30, "trace"), (40, "lower"), (60, "quantize lif1")):
            clock[0] = float(seconds)
            tell(stage)
    assert capsys.readouterr().err == "nmc: trace\nnmc: quantize lif1\n"


def test_percent_spikes_steps_and_time_left_are_those_of_the_run_so_far(meter):
    first, rates = meter.lines(79)
    assert first.startswith("simulate  ━━━")
    assert first.endswith("  20 %  500 spikes/s  20 steps/s  0:40 left")
    assert rates == "spikes a neuron and step: input 0.5, lif1 0.2, lif2 0"
    assert meter.told() == "20.0 % of 1,000 steps of samples, 20/s, 500 spikes/s"


def test_rates_are_those_of_late_and_not_of_a_slow_begin(clock):
    meter = Meter("simulate")
    for second in range(1, 121):
        clock[0] = float(second)
        meter(1 if second < 60 else 10, 10_000)
    assert meter.told().endswith("steps of samples, 10/s")


@pytest.mark.parametrize("columns", range(20, 120, 4))
def test_no_line_is_wider_than_the_terminal(meter, columns):
    assert all(len(line) <= columns for line in meter.lines(columns))


@pytest.mark.parametrize(("columns", "line"), [
    (39, "simulate  20 %  500 spikes/s  0:40 left"),
    (30, "simulate  20 %  0:40 left"),
    (20, "simulate  20 %"),
])
def test_on_a_narrow_terminal_what_matters_least_is_left_out(meter, columns, line):
    told = meter.lines(columns + 1)[0].replace("━", "").replace("┄", "")
    assert " ".join(told.split()) == " ".join(line.split())


def test_more_layers_than_fit_are_counted(clock):
    meter = Meter("simulate", [(f"layer{i}", 10) for i in range(50)])
    clock[0] = 1.0
    meter(1, 10)
    meter.spiked(np.full(50, 5))
    rates = meter.lines(80)[1]
    assert len(rates) < 80
    assert rates.endswith(" more")


@pytest.mark.parametrize(("value", "words"), [
    (0, "0 "), (999, "999 "), (999.7, "1.00 k "), (12_345, "12.3 k "), (999_600, "1.00 M "),
    (1.5e9, "1.50 G "), (123_456, "123 k "),
])
def test_numbers_have_three_digits_and_a_prefix(value, words):
    assert counted(value) == words


def test_times_are_clocks():
    assert [duration(s) for s in (0.9, 67, 3723)] == ["0:00", "1:07", "1:02:03"]


def test_a_long_name_of_what_is_done_leaves_room_for_the_rest():
    told = line_of("quantize encoder.blocks.0.attention.lif1", None, [("0:07", 1)], 60)
    assert told == "quantize …ntion.lif1  0:07"


def test_where_there_is_no_terminal_nothing_is_drawn_even_if_colours_are_forced(
        capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with _progress.steps_bar("simulate") as meter:
        meter(5, 10)
    assert capsys.readouterr() == ("", "")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminal") / "build"
    code = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"
    return api.write_build(
        api.compile(EXAMPLES / "digits.pt", target="loihi2", code=code), folder, {}).folder


def test_on_a_terminal_a_run_is_drawn_and_leaves_only_its_figures(build):
    seen = in_terminal("simulate", build, "--input", TEST)
    assert seen.code == 0, seen.text
    for drawn in (" spikes/s", " steps/s", " left", "spikes a neuron and step: input 0."):
        assert drawn in seen.text
    last_drawn, _, rest = seen.raw.rpartition(SHOW)
    assert HIDE in last_drawn
    figures = ESCAPE.sub("", rest).replace("\r", "")
    assert figures.startswith("target    loihi2, 3 cores on 1 chip\naccuracy  ")
    assert "spikes/s" not in figures


def test_ctrl_c_leaves_the_terminal_clean(build):
    seen = in_terminal("simulate", build, "--input", TEST, "--steps", 2000, press_at="spikes/s")
    assert seen.code == 130
    assert seen.raw.rindex(SHOW) > seen.raw.rindex(HIDE)
    assert "nmc: interrupted after " in seen.text[-250:]


def test_a_terminal_that_cannot_be_drawn_on_gets_no_escapes(build):
    seen = in_terminal("simulate", build, "--input", TEST, "--steps", 4, TERM="dumb")
    assert seen.code == 0
    assert "\x1b" not in seen.raw


def test_quiet_draws_nothing(build):
    seen = in_terminal("-q", "simulate", build, "--input", TEST, "--steps", 4)
    assert (seen.code, seen.raw) == (0, "")
