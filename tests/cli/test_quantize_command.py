"""`nmc quantize` shows each layer's errors and each number format, and widths reach the build."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc, refusal

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL, DATA = EXAMPLES / "digits.pt", EXAMPLES / "digits_calibration.npz"
FORMATS = ["float32", "fp8 E4M3", "fp8 E5M2", "int8", "int4", "int2", "ternary"]


@pytest.fixture
def quantized(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """What the command prints as JSON with some options, of 96 digits."""
    few = tmp_path / "few.npz"
    with np.load(DATA) as data:
        np.savez(few, x=data["x"][:96], y=data["y"][:96])

    def run(*options: object) -> dict:
        result = nmc(capsys, monkeypatch, "quantize", MODEL, "--calibrate", few, "--json", *options)
        assert result.code == 0, result.err
        return json.loads(result.out)
    return run


@pytest.mark.slow
def test_every_format_is_compared_on_the_same_data(quantized) -> None:
    found = quantized("--compare")
    rows = {row["name"]: row for row in found["formats"]}
    assert list(rows) == FORMATS
    assert rows["float32"]["decisions_equal"] == 1
    assert [rows[name]["memory_bits"] * 32 // rows["float32"]["memory_bits"]
            for name in FORMATS] == [32, 8, 8, 8, 4, 2, 2]
    assert rows["int8"]["accuracy"] >= rows["float32"]["accuracy"] - 0.004
    assert rows["int4"]["accuracy"] >= rows["float32"]["accuracy"] - 0.01
    for layer in found["layers"]:
        methods = {trial["method"]: trial["error"] for trial in layer["trials"]}
        usual = {"max-abs", "percentile 99.9", "percentile 99", "mse", "membrane"}
        assert usual <= set(methods) <= {*usual, "own scales"}
        assert layer["error"] <= min(methods[method] for method in usual)


@pytest.mark.slow
def test_widths_are_chosen_under_a_memory_and_narrow_what_matters_least(quantized) -> None:
    free = quantized("--bits", "auto")
    tight = quantized("--bits", "auto", "--memory", 7000)
    bits = {layer["population"]: int(layer["width"]) for layer in tight["layers"]}
    sizes = {layer["population"]: layer["weights"] for layer in tight["layers"]}
    assert sum(bits[name] * sizes[name] for name in bits) <= 8 * 7000
    assert set(bits.values()) <= {2, 4, 8}
    assert any("bits of weights by sensitivity" in note for note in free["notes"])


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--bits", "5"), "bits: is '5'. Take one of 8, 4, 2, ternary, auto."),
     (("--memory", "100"), "memory: is a limit for bits that are chosen. Add --bits auto."),
     (("--bits", "auto", "--memory", "100"), "memory: the weights take 5,924 bytes at their "
      "narrowest, 100 are given. Give more, or train fewer weights.")],
)
def test_what_cannot_be_chosen_is_refused(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = nmc(capsys, monkeypatch, "quantize", MODEL, *options)
    assert (result.code, result.out) == (2, "")
    assert refusal(result.err) == message
