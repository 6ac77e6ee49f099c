"""What a user chooses and gives, as the passes take it; or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmcompile.coding import Coding
from nmcompile.dump import is_stage, load_stage
from nmcompile.encode import Encoded, as_traced, encoded
from nmcompile.errors import (
    DataShapeError,
    DataValueError,
    EncodingError,
    OptionError,
    OptionsError,
)
from nmcompile.frontends.data_file import DataFile
from nmcompile.frontends.interface import Request, Traced
from nmcompile.ir import Input, Network
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.convert import BALANCES, CODES, STEPS, Conversion, is_artificial
from nmcompile.passes.partition import PARTITIONERS, cutter
from nmcompile.passes.quantize import AUTO, NAMES, Precision
from nmcompile.stages import Data, Stage
from nmcompile.target import Target, load_target, with_chips


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrating:
    """The data to calibrate on, if any are given, and how runs will send them.

    Raises NmcError for a coding of no data.
    """

    data: DataFile | None
    coding: Coding

    def __post_init__(self) -> None:
        if self.data is None and self.coding.told is not None:
            raise OptionsError(
                "--encode", f"is '{self.coding.told}', and there are no data to send so",
                "Add --calibrate DATA, or give it to nmc simulate.")


def kept_stage(model: object, target: Target) -> Stage | None:
    """What an earlier compilation kept in the file `model`; None where it is none of its files."""
    if not isinstance(model, str | Path) or not is_stage(Path(model)):
        return None
    return load_stage(Path(model), target)


def board(target: str | Target, chips: int | None) -> Target:
    """The board that a target's name, file or value means, with so many chips."""
    found = target if isinstance(target, Target) else load_target(target)
    return found if chips is None else with_chips(found, chips)


def request(
    model: object, sample: Array | None, calibration: Calibrating, code: str | None,
    trust_pickle: bool, steps: int | None,
) -> Request:
    """What a frontend is asked to load."""
    spare = None if calibration.data is None else calibration.data.x
    if isinstance(spare, np.ndarray):
        spare = as_traced(spare, calibration.coding)
    path = Path(model) if isinstance(model, str | Path) else None
    return Request(
        path=path, model=None if path else model, sample=sample, code=code, steps=steps,
        spare=spare, trust_pickle=trust_pickle)


def conversion(
    code: str, steps: int | None, balance: str, tolerance: float | None
) -> Conversion:
    """How activations become neurons; NmcError for what is no way of it."""
    for name, value, known in (("convert", code, CODES), ("balance", balance, BALANCES)):
        if value not in known:
            raise OptionError(name, f"is '{value}'", f"Take one of {', '.join(known)}.")
    if tolerance is not None and not 0 <= tolerance < 1:
        raise OptionError("tolerance", f"is {tolerance:g}", "Give a share of 0 to 1.")
    return Conversion(code=code, steps=steps or STEPS, balance=balance, tolerance=tolerance)


def precision(bits: str | None, memory: int | None) -> Precision:
    """How wide weights are; NmcError for what is no width."""
    if bits not in (None, AUTO, *NAMES):
        raise OptionError("bits", f"is '{bits}'", f"Take one of {', '.join((*NAMES, AUTO))}.")
    if memory is not None and bits != AUTO:
        raise OptionsError("memory", "is a limit for bits that are chosen", "Add --bits auto.")
    return Precision(weights=bits, memory_bits=None if memory is None else 8 * memory)


def partitioner(name: str, search: bool) -> str:
    """Who cuts irregular populations; NmcError for what does not, and where nobody would."""
    if name not in PARTITIONERS:
        raise OptionError("partitioner", f"is '{name}'", f"Take one of {', '.join(PARTITIONERS)}.")
    if search and name != PARTITIONERS[0]:
        raise OptionsError("partitioner", f"is '{name}', and --search cuts boxes without one",
                           "Leave out one of them.")
    cutter(name)
    return name


def calibration_data(traced: Traced, calibration: Calibrating, seed: int) -> Data | None:
    """The user's data in the network's own form."""
    data, coding = calibration.data, calibration.coding
    if data is None:
        return None
    if coding.how not in (None, "direct") and is_artificial(traced.network):
        raise EncodingError(
            "calibration data", f"are to be sent as '{coding.how}', and a network of activations "
            "is converted on their values", "Leave out --encode here, and give it to nmc simulate.")
    require_labels(traced.network, data, "calibration data")
    data = data.held()
    sent = encoded(
        data.x,
        traced.network,
        encoding=coding,
        seed=seed,
        where="calibration data",
        steps=traced.network.steps or _steps(traced),
    )
    return Data(inputs={name: values[:] for name, values in sent.items()}, labels=data.y)


def _steps(traced: Traced) -> int:
    return next(iter(traced.inputs.values())).shape[1]


def require_labels(network: Network, data: DataFile, where: str) -> None:
    """Refuse labels of classes that the network does not have."""
    classes = network.population(network.outputs[0].population).size
    if data.y is not None and data.y.max(initial=0) >= classes:
        raise DataShapeError(
            where, f"y holds class {data.y.max()}, the network has {classes} outputs, 0 to "
            f"{classes - 1}"
        )


def require_payload(port: Input, sent: Encoded, target: Target, where: str) -> None:
    """Refuse values that the spikes of an input cannot carry."""
    if port.format.payload_bits == 0 and not sent.binary:
        raise DataValueError(
            where,
            f"holds values other than 0 and 1, and the spikes of input '{port.name}' are "
            f"binary on {target.name}",
            "Add --encode rate, or give spikes." if isinstance(sent.values, np.ndarray)
            else "Add --binary.",
        )


def require_reach(port: Input, sent: Encoded, where: str) -> None:
    """Refuse values far beyond those that an input was compiled for."""
    if port.format.payload_bits == 0:
        return
    reach, peak = port.format.limit * port.format.scale, sent.peak
    if port.format.unsigned and sent.lowest < 0:
        raise DataValueError(
            where, f"values reach down to {sent.lowest:g}, input '{port.name}' takes "
            "them from 0 on", "Give data like those that the model was compiled with.")
    if peak > reach * 1.002:
        raise DataValueError(
            where,
            f"values reach a magnitude of {peak:g}, input '{port.name}' was compiled for up to "
            f"{reach:g}",
            "Compile with data like it: --calibrate.",
        )
