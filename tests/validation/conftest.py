"""A build of the shipped network, and data for it."""

from importlib.resources import files
from pathlib import Path

import pytest

import nmcompile as nmc
from nmcompile.frontends.data_file import read_data

EXAMPLES = files("nmcompile_examples")


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Folder of the digits network for Loihi 2 and the file of its test data."""
    folder = tmp_path_factory.mktemp("digits") / "build"
    compiled = nmc.compile(str(EXAMPLES / "digits.pt"), target="loihi2",
                           calibration=read_data(Path(str(EXAMPLES / "digits_calibration.npz"))))
    nmc.write_build(compiled, folder, {})
    return folder, Path(str(EXAMPLES / "digits_test.npz"))
