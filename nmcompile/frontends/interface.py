"""What a frontend is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nmcompile.frontends.events.binning import Frames
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """What the user gave.

    path         the model file, or None where `model` is given
    model        a Python object in place of a file
    sample       (samples, steps, *shape) spikes or values, or (samples, *shape) values
    spare        the same, for a model that comes without a sample of its own
    code         "file.py:Name" of the user's class or factory; that file is executed
    trust_pickle  let the file's pickle run whatever it names
    steps        steps for a model that leaves them to its caller
    """

    path: Path | None = None
    model: object | None = None
    sample: Array | None = None
    spare: Array | Frames | None = None
    code: str | None = None
    trust_pickle: bool = False
    steps: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Traced:
    """A network, the sample in its form, and what the source model computed on that sample.

    inputs       name -> (samples, steps, *shape) float32
    expected     population -> variable -> (samples, steps, *shape); empty where the source
                 cannot be run
    verified_by  what `expected` was computed by, in a phrase
    scores       (samples, classes) what the source itself returned for each class, summed over
                 steps where it returned all of them; None where it cannot be told
    """

    network: Network
    inputs: dict[str, Array]
    expected: dict[str, dict[str, Array]]
    verified_by: str = ""
    scores: Array | None = None


@dataclass(frozen=True)
class Frontend:
    """A reader of one kind of model.

    claims   whether a file, judged by its content, is of this kind
    accepts  whether a Python object is of this kind
    load     the traced network of a request
    """

    name: str
    claims: Callable[[Path], bool]
    accepts: Callable[[object], bool]
    load: Callable[[Request], Traced]
