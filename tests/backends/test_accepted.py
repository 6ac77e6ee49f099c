"""Which neurons and maps each chip takes; what it does not take is refused by name, unwritten.

tests/oracles runs all that is taken through tools that are not ours (docs/backends).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.accepted import (
    MAPS,
    MAPS_TAKEN,
    NEURONS,
    PLAIN,
    READOUTS,
    TAKEN,
    compiled,
    lif,
    of_map,
    two_layers,
)

from nmcompile import build
from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.registry import backend


def refusal(net: Network, target: str, folder: Path) -> NmcError | None:
    """Why `target` does not take `net`; nothing is there then. Else at least one file is."""
    try:
        build.write_build(compiled(net, target), folder, {})
    except NmcError as error:
        assert not folder.exists()
        return error
    assert any((folder / "config").iterdir())
    return None


@pytest.mark.parametrize("target", PLAIN)
def test_neurons_are_taken_or_refused_by_their_layer(tmp_path: Path, target: str) -> None:
    found = {name: refusal(two_layers(target, neuron), target, tmp_path / name)
             for name, neuron in (NEURONS | READOUTS).items()}
    assert {name for name, error in found.items() if error is None} == TAKEN[target]
    for name, error in found.items():
        assert error is None or error.where == "n", f"{name}: {error}"


@pytest.mark.parametrize("target", PLAIN)
def test_maps_are_taken_or_refused_by_their_projection(tmp_path: Path, target: str) -> None:
    found = {kind: refusal(of_map(target, kind), target, tmp_path / kind) for kind in MAPS}
    assert {kind for kind, error in found.items() if error is None} == MAPS_TAKEN[target]
    for kind, error in found.items():
        assert error is None or error.where in (
            "n", "out", "second", "a -> n", "a -> out", "n -> n"), (
            f"{kind}: {error}")


def test_a_network_that_none_of_the_files_can_say_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = {"a.net": "not written: n has two thresholds", "b.py": "not written: n is too slow"}
    real = backend("loihi")
    mute = SimpleNamespace(**{name: getattr(real, name) for name in dir(real) if name[0] != "_"})
    mute.emit = lambda program, folder: reasons
    monkeypatch.setattr(build, "backend", lambda family: mute)
    error = refusal(two_layers("loihi2", lif()), "loihi2", tmp_path / "build")
    assert str(error) == ("loihi2: none of its files can say this network: a.net (n has two "
                          "thresholds), b.py (n is too slow).")
    assert list(tmp_path.iterdir()) == []
