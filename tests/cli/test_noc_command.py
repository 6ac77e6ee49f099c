"""`nmc noc`: the file that it writes, the differences that it tells, the input that it refuses."""

import json
from functools import partial
from pathlib import Path

import pytest
from helpers.command import nmc, refusal

GOLDENS = Path(__file__).parents[1] / "goldens" / "noc"
HEADER = "src,dst,created\n"


@pytest.fixture
def run(capsys, monkeypatch):
    return partial(nmc, capsys, monkeypatch, "noc")


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "trace.csv"


def test_a_replayed_trace_has_the_bytes_of_booksims(run, tmp_path):
    golden, output = GOLDENS / "hot_spot_b1.csv", tmp_path / "out.csv"
    found = run(golden, "--mesh", "4x4", "--buffer", 1, "-o", output)
    assert found.code == 0, found.err
    assert output.read_bytes() == golden.read_bytes()
    assert found.out.splitlines()[-1] == (
        "recorded  latency 267.627 cycles, ours is +0.00 %; 100.00 % of packets arrive within 2 "
        "cycles; 100.00 % in the same; at most 0 apart; injected equal for 100.00 %; routers equal "
        "for 100.00 %")


def test_columns_in_any_order_are_enough_and_all_are_written(run, trace, tmp_path):
    trace.write_bytes(b"\xef\xbb\xbfcreated, dst ,src\r\n7,3,0\r\n\r\n2,0,0\r\n")
    found = run(trace, "--mesh", "2x2", "-o", tmp_path / "out.csv")
    assert found.code == 0, found.err
    assert (tmp_path / "out.csv").read_text() == (
        "src,dst,created,injected,arrived,routers\n0,3,7,7,18,3\n0,0,2,2,7,1\n")
    assert "recorded" not in found.out


def test_differences_from_what_was_recorded_are_figures(run, trace):
    trace.write_text("src,dst,created,arrived\n0,1,0,8\n0,1,20,27\n0,1,40,51\n3,0,60,70\n")
    figures = json.loads(run(trace, "--mesh", "2x2", "--json").out)
    assert figures["latency_cycles"] == {
        "mean": 8.75, "median": 8.0, "p99": 10.91, "max": 11, "queued_mean": 0.0}
    assert figures["cycles"] == 72
    assert figures["packets_per_node_cycle"] == 4 / (4 * 72)
    assert figures["recorded"] == {
        "mean_latency_cycles": 9.0, "latency_error": 8.75 / 9 - 1, "arrived_close": 0.75,
        "arrived_equal": 0.25, "arrived_most_cycles": 3, "injected_equal": None,
        "routers_equal": None}


def test_a_pipeline_takes_changes(run, trace):
    trace.write_text(HEADER + "0,3,0\n")
    slow = "A,speculative=0,routing=1,output=2,switch=2,traversal=3,link=4"
    found = json.loads(run(trace, "--mesh", "4x1", "--router", slow, "--json").out)
    assert found["latency_cycles"]["max"] == 2 + 4 * (1 + 2 + 2 - 1 + 3 + 1) + 3 * 4 + 1
    chips = ("--chip", "2x1", "--chip-latency", 9, "--chip-interval", 5)
    found = json.loads(run(trace, "--mesh", "4x1", *chips, "--json").out)
    assert found["latency_cycles"]["max"] == 14 + 8


@pytest.mark.parametrize(("text", "told"), [
    ("", ", line 1: '' is not known. Known: arrived, created, dst, injected, routers, src."),
    ("src,dst\n0,1\n", ", line 1: there is no column created. Needed: src, dst, created."),
    ("src,dst,creatd\n0,1,2\n", ", line 1: 'creatd' is not known. Did you mean 'created'? Known: "
     "arrived, created, dst, injected, routers, src."),
    ("src,dst,src,created\n0,1,2,3\n", ", line 1: names a column twice."),
    (HEADER, ": has no packets."),
    (HEADER + "\n\n", ": has no packets."),
    (HEADER + "0,1,2\n\n0,-1,2\n", ", line 4: dst is '-1', expected a whole number from 0 to 63."),
    (HEADER + "64,1,2\n", ", line 2: src is '64', expected a whole number from 0 to 63."),
    (HEADER + "0,1,2.0\n", ", line 2: created is '2.0', expected a whole number from 0 to "
     "1,000,000,000,000,000."),
    (HEADER + "0,1,1000000000000001\n", ", line 2: created is '1000000000000001', expected a whole "
     "number from 0 to 1,000,000,000,000,000."),
    (HEADER + "0,1,2\n0,1,99999999999999999999\n", ", line 3: created is '99999999999999999999', "
     "expected a whole number from 0 to 1,000,000,000,000,000."),
    (HEADER + "0,1,2\n0,1\n", ", line 3: has 2 columns, expected 3."),
    (HEADER + "0,1,2,3\n", ", line 2: has 4 columns, expected 3."),
    (HEADER + "0,1,\n", ", line 2: created is '', expected a whole number from 0 to "
     "1,000,000,000,000,000."),
])
def test_a_damaged_trace_is_told_by_its_line_and_nothing_is_written(run, trace, tmp_path, text,
                                                                    told):
    trace.write_text(text)
    found = run(trace, "--mesh", "8x8", "-o", tmp_path / "out.csv")
    assert (found.code, found.out) == (2, "")
    assert refusal(found.err) == f"{trace}{told}"
    assert list(tmp_path.iterdir()) == [trace]


def test_what_is_no_text_and_what_is_no_file_are_refused(run, trace, tmp_path):
    trace.write_bytes(HEADER.encode() + b"0,1,\xff\n")
    found = run(trace, "--mesh", "8x8")
    assert found.code == 2
    assert found.err.startswith(f"nmc: error: {trace}: is no readable CSV (")
    assert refusal(run(tmp_path, "--mesh", "8x8").err) == (
        f"{tmp_path}: is a folder, expected a file.")
    trace.write_text(HEADER + "0,1,2\n")
    assert run(trace, "--mesh", "8x8", "-o", tmp_path / "none" / "out.csv").code == 2


@pytest.mark.parametrize(("options", "told"), [
    (("--mesh", "8"), "--mesh: '8' is no size. Give columns and rows, such as 8x8."),
    (("--mesh", "0x8"), "--mesh: width is 0, expected 1 to 262,144."),
    (("--mesh", "4096x4096"), "--mesh: has 16,777,216 routers, expected at most 262,144."),
    (("--mesh", "512x512", "--buffer", 1000), "mesh: buffers hold 1,310,720,000 packets, expected "
     "at most 33,554,432. Take a smaller mesh or smaller buffers."),
    (("--mesh", "8x8", "--chip", "3x8"),
     "--mesh: chips of 3x8 routers do not fill 8x8. Take chips whose columns and rows divide those "
     "of the mesh."),
    (("--mesh", "8x8", "--chip-latency", 4),
     "--mesh: links between chips differ, but there is one chip. Give --chip COLUMNSxROWS."),
    (("--mesh", "8x8", "--router", "B"), "--router: 'B' is not known. Known: A."),
    (("--mesh", "8x8", "--router", "A,routng=1"), "--router: 'routng' is not known. Did you mean "
     "'routing'? Known: credit, link, output, routing, speculative, switch, traversal."),
    (("--mesh", "8x8", "--router", "A,link=0"), "--router: link is 0 cycles, expected 1 to 1000."),
    (("--mesh", "8x8", "--router", "A,link=-1"),
     "--router: 'link=-1' sets no number of cycles. Give routing=1."),
    (("--mesh", "8x8", "--router", "A,speculative=2"),
     "--router: speculative is 2, expected 0 or 1."),
    (("--mesh", "8x8", "--router", "A,output=2"),
     "--router: a speculative router has output=2, expected 1. Give speculative=0 as well."),
])
def test_meshes_and_routers_that_cannot_be_are_refused(run, trace, options, told):
    trace.write_text(HEADER + "0,1,2\n")
    found = run(trace, *options)
    assert (found.code, found.out) == (2, "")
    assert refusal(found.err) == told
