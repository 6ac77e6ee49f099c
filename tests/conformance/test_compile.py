"""Every row is compiled for loihi2, whose map check is bit for bit, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.conformance import Row
from helpers.conformance.parameters import rows
from helpers.conformance.rows import with_lively_weights

from nmcompile import api
from nmcompile.errors import NmcError
from nmcompile.stages import Compiled

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries
REFUSALS = (
    "loihi2 has no '", "its v starts above its threshold", "a lower bound of the membrane does not",
    "several spikes in one step do not exist", "reset_delay=False does not exist",
    "spiking neurons and activations are in one network",
    "takes fewer steps than it has connections", "resonators begin at rest on loihi2",
    "threshold and refractoriness begin at rest on loihi2",
    "a bias of resonators does not exist on loihi2",
    "is below 0, which does not exist on loihi2",
)


def compiled(row: Row) -> tuple[Compiled | None, str]:
    """The model of `row` for loihi2, or why it is refused."""
    torch.manual_seed(2)
    steps = (row.steps,) if row.steps else ()
    sample = (np.random.default_rng(0).random((4, *steps, *row.shape)) < 0.4).astype(np.float32)
    try:
        return api.compile(with_lively_weights(row), target="loihi2", sample=sample), ""
    except NmcError as refusal:
        return None, str(refusal)


@pytest.mark.parametrize("row", rows())
def test_a_row_compiles_for_loihi2_or_is_refused_by_name(row: Row) -> None:
    found, refusal = compiled(row)
    if found is None:
        assert any(reason in refusal for reason in REFUSALS), refusal
        return
    figures = {check.arrow: check.figures for check in found.checks}
    spikes = [figures["quantize"][f"spikes_{kind}"] for kind in ("float", "integer")]
    assert abs(spikes[0] - spikes[1]) <= 0.05 * spikes[0]
