"""`nmc check`, `nmc map`, and the files of `nmc compile --dump` that one can go on from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL, DATA = EXAMPLES / "digits.pt", EXAMPLES / "digits_calibration.npz"
CODE = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: nmc(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of the digits to calibrate on."""
    path = tmp_path_factory.mktemp("few") / "few.npz"
    with np.load(DATA) as data:
        np.savez(path, x=data["x"][:24], y=data["y"][:24])
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build and the stages of its making."""
    from nmcompile import api

    folder = tmp_path_factory.mktemp("kept")
    compiled = api.compile(MODEL, target="loihi2", calibration=api.read_data(DATA),
                           dump_to=folder / "stages")
    api.write_build(compiled, folder / "build", api.origin(MODEL))
    return folder


def test_check_says_whether_a_network_fits_and_writes_nothing(
        command, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fits = command("check", MODEL, "--calibrate", few, "--target", "loihi2")
    assert fits.code == 0
    assert "3 of 1,024 cores on 1 of 8 chip(s)" in fits.out
    both = command("check", MODEL, "--calibrate", few, "--target", "loihi2", "--target", "xylo_a2")
    assert both.code == 1
    assert "needs 64 input channels, xylo_a2 has 16" in both.out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_check_of_all_targets_has_a_row_for_each_as_json_too(command, few):
    found = command("check", MODEL, "--calibrate", few, "--all-targets", "--json")
    rows = json.loads(found.out)
    assert found.code == 1
    assert {"loihi1", "loihi2", "speck2f", "truenorth", "xylo_a2"} <= set(rows)
    assert rows["loihi2"]["cores"] == 3
    assert "it fires once a step at most" in rows["speck2f"]["does_not_fit"]


def test_a_board_that_cannot_be_made_takes_only_its_own_row(command, few):
    targets = ("--target", "spinnaker1", "--target", "loihi2")
    found = command("check", MODEL, "--calibrate", few, *targets, "--chips", 2, "--json")
    rows = json.loads(found.out)
    assert found.code == 1
    assert rows["spinnaker1"]["does_not_fit"].startswith(
        "spinnaker1: 2 chips make no machine of its boards.")
    assert rows["loihi2"]["cores_of"] == 256


@pytest.mark.parametrize("options", [(), ("--target", "loihi2", "--all-targets")])
def test_check_wants_targets_or_all_of_them(command, options):
    found = command("check", MODEL, *options)
    assert found.code == 2
    assert "give --target T, several times if you like, or --all-targets" in found.err


def test_map_explains_cores_limits_traffic_and_links(command, kept):
    found = json.loads(command("map", kept / "build", "--explain", "--json").out)
    assert [row["limit"] for row in found["limits"]] == [
        "neurons", "synapse_bits", "input_axons", "output_axons"]
    layers = {row["name"]: row for row in found["layers"]}
    assert layers["lif1"]["cores"] == 1
    assert layers["lif1"]["copies"] == 1
    between = {(row["source"], row["target"]): row["packets"] for row in found["traffic"]}
    assert set(between) == {("input", "lif1"), ("lif1", "lif2"), ("lif2", "lif3")}
    assert found["packets"] == pytest.approx(sum(between.values()))


def test_map_places_a_build_anew_and_checks_it_against_the_earlier_one(command, kept, tmp_path):
    asked = tmp_path / "constraints.toml"
    asked.write_text('[layers.lif3]\non = ["chip 2"]\n')
    found = command("map", kept / "build", "--constraints", asked, "-o", tmp_path / "moved")
    assert found.code == 0, found.err
    assert "spikes and 0 states differ, simulated on 3 cores" in found.out
    figures = json.loads(command("map", tmp_path / "moved", "--json").out)
    assert figures["chips"] == 2
    assert any("east" in row["direction"] for row in figures["links"])
    without = command("map", kept / "build", "--constraints", asked)
    assert without.code == 2


def test_map_tells_what_dead_parts_cost_and_refuses_what_they_cut_off(command, kept, tmp_path):
    asked, output = tmp_path / "faults.toml", tmp_path / "around"
    asked.write_text('[layers.lif3]\non = ["12"]\n'
                     '[faults]\ncores = ["0-3"]\nlinks = ["0,3 east", "1,0 west", "7,3 east"]\n')
    found = command("map", kept / "build", "--constraints", asked, "-o", output)
    assert found.code == 0, found.err
    told = command("map", output)
    figures = json.loads(command("map", output, "--json").out)
    lost, packets = figures["faults"], figures["packets"]
    assert (lost["cores"], lost["links"], lost["cut_off"]) == (4, 6, 0)
    assert "dead      4 cores, 6 links\n" in told.out
    assert (f"detours   {lost['bent']} pairs of tiles, in up to {lost['most_legs']} legs: "
            f"{figures['hops'] / packets:.3f} hops a packet, on the same cores "
            f"{lost['hops_straight'] / packets:.3f} if no link were dead\n") in told.out
    asked.write_text('[faults]\nlinks = ["0,0 east", "0,0 south"]\n')
    refused = command("map", kept / "build", "--constraints", asked, "-o", tmp_path / "none")
    assert refused.code == 2
    assert "input to lif1: no way leads from tile 0,0 to" in refused.err
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_search_spreads_the_network_and_lowers_energy_times_delay(command, few, kept, tmp_path):
    found = command("map", kept / "build", "--search", "-o", tmp_path / "spread")
    assert found.code == 0, found.err
    assert "spikes and 0 states differ" in found.out
    product = []
    for build in (kept / "build", tmp_path / "spread"):
        run = command("simulate", build, "--input", few, "--json")
        told = json.loads(run.out)
        product.append(told["energy_per_sample_j"] * told["latency_s"]["per_sample_mean"])
    assert product[1] < product[0] / 10


@pytest.mark.parametrize("stage", ["trace", "lower", "quantize", "partition"])
def test_from_any_stage_the_same_program_comes_out(command, kept, tmp_path, stage):
    found = command("compile", "--from", kept / "stages" / f"{stage}.h5", "--target", "loihi2",
                    "--calibrate", DATA, "-o", tmp_path / "build")
    assert found.code == 0, found.err
    again = (tmp_path / "build" / "program.h5").read_bytes()
    assert again == (kept / "build" / "program.h5").read_bytes()


def test_behind_the_cut_nothing_that_cuts_is_taken(command, kept, tmp_path):
    found = command("compile", "--from", kept / "stages" / "partition.h5", "--target", "loihi2",
                    "--search", "-o", tmp_path / "build")
    assert found.code == 2
    assert ("--search: cuts layers, and this stage is behind the cut. Go on from quantize.h5."
            in found.err)


def test_a_build_notes_that_cores_are_shared_as_long_as_they_are(command, kept, tmp_path):
    def notes(build):
        return json.loads((build / "manifest.json").read_text())["notes"]

    asked = tmp_path / "few.toml"
    asked.write_text('reserve = ["2-1023"]\n')
    shared, apart = tmp_path / "shared", tmp_path / "apart"
    assert command("map", kept / "build", "--constraints", asked, "-o", shared).code == 0
    assert notes(shared) == [*notes(kept / "build"), "cores are shared: 3 slices on 2"]
    assert command("map", shared, "-o", apart).code == 0
    assert notes(apart) == notes(kept / "build")


def test_stages_are_the_same_bytes_each_time_and_readable_as_text(kept, tmp_path):
    from nmcompile import api

    api.compile(MODEL, target="loihi2", calibration=api.read_data(DATA), dump_to=tmp_path)
    for name in ("trace", "lower", "quantize", "partition"):
        for suffix in ("h5", "txt"):
            again = (tmp_path / f"{name}.{suffix}").read_bytes()
            assert again == (kept / "stages" / f"{name}.{suffix}").read_bytes()
    text = (tmp_path / "partition.txt").read_text()
    assert "population lif1 16x8x8 loihi" in text
    assert "slice 0 of lif1: 0:16 0:8 0:8, with 0" in text


def test_a_stage_of_another_chip_and_a_file_that_is_none_are_refused(command, kept, tmp_path):
    other = command("compile", "--from", kept / "stages" / "lower.h5", "--target", "xylo_a2",
                    "-o", tmp_path / "build")
    assert other.code == 2
    assert "was made for loihi2, not for xylo_a2" in other.err
    neither = command("compile", "--target", "loihi2")
    assert neither.code == 2
    assert "give a MODEL, or a file of --dump with --from" in neither.err
