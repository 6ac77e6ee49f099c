"""What `nmc report` prints of the common yardsticks."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed
from helpers.networks import conv_network, spikes
from nmcompile_backends.loihi import BACKEND

from nmcompile.cli._yardstick_tables import print_yardsticks
from nmcompile.mapping.capacity import demand
from nmcompile.report.yardsticks import compiled_yardsticks, real_counts, run_yardsticks
from nmcompile.simulator import simulate


@pytest.fixture
def yardsticks():
    """Before a run and after one, with the model's counts and without."""
    made, real = program(relayed(1), "loihi1", cut=2), conv_network()
    needs = demand(made.network, made.mapping, made.target, BACKEND)
    counts = real_counts(real, spikes(real, samples=2, steps=4))
    ran = simulate(made, payloads(made.network, 9, np.random.default_rng(0), samples=5))
    known, unknown = (compiled_yardsticks(made, needs, c) for c in (counts, None))
    return {"known": known, "unknown": unknown, "run": run_yardsticks(known, made, ran),
            "run, unknown": run_yardsticks(unknown, made, ran)}


def printed(figures, capsys) -> list[list[str]]:
    print_yardsticks(figures)
    return [line.split() for line in capsys.readouterr().out.splitlines() if line]


def test_nothing_is_printed_of_a_report_without_yardsticks(capsys) -> None:
    assert printed(None, capsys) == []


def test_counts_of_model_and_chip_stand_beside_each_other(yardsticks, capsys) -> None:
    lines = printed(yardsticks["run"], capsys)
    assert " ".join(lines[0]) == (
        "yardsticks, a sample (float: the model on 2 samples; chip: 5 samples)")
    acs = next(line for line in lines if line[:2] == ["effective", "ACs"])
    real, chip = yardsticks["run"]["float"], yardsticks["run"]["chip"]
    assert acs[2:4] == [f"{counts['effective_acs']:,.0f}" for counts in (real, chip)]
    rows = [line for line in lines if line[0] in ("45nm", "bit")]
    assert [row[2 if row[2] in ("float", "chip") else 3] for row in rows] == (
        ["float"] * 4 + ["chip"] * 4)


def test_what_only_a_run_can_tell_is_left_empty_before_one(yardsticks, capsys) -> None:
    lines = printed(yardsticks["known"], capsys)
    assert "chip: not simulated" in " ".join(lines[0])
    dense = next(line for line in lines if line[0] == "dense")
    assert dense[2] == "all"


@pytest.mark.parametrize("key", ["unknown", "run, unknown"])
def test_a_model_that_is_not_known_has_no_column_of_figures(yardsticks, capsys, key) -> None:
    lines = printed(yardsticks[key], capsys)
    assert "float" not in " ".join(lines[0])
    rows = [line for line in lines if line[0] in ("45nm", "bit")]
    assert len(rows) == (4 if key == "run, unknown" else 0)


@pytest.mark.parametrize(("share", "text"), [(0.25, "25 %"), (1.5, "ANN less"), (-0.1, "ANN more")])
def test_the_share_of_bits_at_which_both_cost_the_same_is_told(
    yardsticks, capsys, share, text
) -> None:
    figures = yardsticks["run"]
    figures["estimates"] = [{**figures["estimates"][2], "even_at": share}]
    print_yardsticks(figures)
    assert f" {text} " in capsys.readouterr().out


def test_more_connections_on_the_chip_are_explained_and_only_these(yardsticks, capsys) -> None:
    figures = yardsticks["run"]
    for chip, real, said in ((204_800, 51_200, True), (51_200, 51_200, False)):
        figures["chip"] |= {"connections": chip}
        figures["float"] |= {"connections": real}
        print_yardsticks(figures)
        told = " ".join(capsys.readouterr().out.split())
        assert ("on the chip: 204,800 of them for the model's 51,200." in told) == said
