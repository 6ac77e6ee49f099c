"""The neurons of a `.net` file's layers, in the unit of its weights (1/64 of lava-dl's numbers).

A state of lava-nc holds 64 parts of that unit for a spike, and 4096 for a graded one, whose
messages hold 64 (netx/hdf5.py: state_exp 6, spike_exp 6). Decays are 12-bit: of 4096 parts, u
keeps 4096 - iDecay in a step and v 4096 - vDecay. Biases add to v, those of an input layer to what
arrives (slayer/block/base.py, AbstractInput).
"""

from __future__ import annotations

from math import prod

import numpy as np

from nmcompile.errors import (
    DamagedFileError,
    ParameterError,
    UnsupportedLayerError,
    UnsupportedNeuronError,
)
from nmcompile.frontends.lava_import.read import Layer, numbers_of
from nmcompile.ir.neurons import ATRLIF, LI, CubaLIF, Neuron, Reset, ResonateFire, SigmaDelta
from nmcompile.ir.neurons.base import Array
from nmcompile.ir.neurons.lif import zero

UNITY = 4096
PARTS = np.full((), 1 / 64, np.float32)
SUPPORTED = "CUBA, ALIF, SDNN, RF_PHASE and RF_IZHIKEVICH are supported."
Shape = tuple[int, ...]


def neuron_of(where: str, layer: Layer, shape: Shape) -> Neuron:
    """The neurons of `layer`; NmcError for kinds that cannot be compiled."""
    found = layer.get("neuron")
    if not isinstance(found, dict):
        raise DamagedFileError(where, "it has no neuron")
    kind = found.get("type")
    if np.any(found.get("gradedSpike", np.zeros(1))):
        raise UnsupportedNeuronError(where, "graded spikes cannot be compiled, but those of SDNN")
    if np.any(found.get("weight_exp", np.zeros(1))):
        raise UnsupportedLayerError(
            where, "the exponents of a WgtScaleBatchNorm cannot be compiled",
            "Train with MeanOnlyBatchNorm.")
    if kind in ("CUBA", "LOIHI"):
        return _cuba(where, layer, found, shape)
    if kind == "ALIF":
        return _adaptive(where, layer, found, shape)
    if kind == "SDNN":
        return _sigma_delta(where, layer, found, shape)
    if kind in ("RF_PHASE", "RF_IZHIKEVICH"):
        return _resonator(where, layer, found, shape)
    raise UnsupportedNeuronError(where, f"neurons of type {kind} cannot be compiled", SUPPORTED)


def _cuba(where: str, layer: Layer, found: Layer, shape: Shape) -> CubaLIF:
    if number(where, found, "refDelay", 1) != 1 or number(where, found, "wgtExp", 0) != 0:
        raise UnsupportedNeuronError(
            where, "refDelay other than 1 and wgtExp other than 0 cannot be compiled")
    bias = zero() if layer.get("type") == "input" else bias_of(where, layer, shape)
    return CubaLIF(
        current_decay=_kept(where, found, "iDecay", shape), reset=Reset.ZERO, state_step=PARTS,
        decay=_kept(where, found, "vDecay", shape), v_bias=bias,
        threshold=_numbers(where, found, "vThMant", shape),
    )


def _adaptive(where: str, layer: Layer, found: Layer, shape: Shape) -> ATRLIF:
    """lava-dl's ALIF, which netx has no process for; the numbers are slayer's (neuron/alif.py)."""
    if np.any(bias_of(where, layer, shape)):
        raise UnsupportedNeuronError(where, "ALIF neurons with a bias cannot be compiled")
    step = _numbers(where, found, "vThStep", shape)
    return ATRLIF(
        current_decay=_kept(where, found, "iDecay", shape),
        decay=_kept(where, found, "vDecay", shape), state_step=PARTS, threshold_step=step,
        adaptation_decay=_kept(where, found, "thDecay", shape),
        refractory_decay=_kept(where, found, "refDecay", shape),
        threshold=_numbers(where, found, "vThMant", shape))


def _kept(where: str, found: Layer, name: str, shape: Shape) -> Array:
    """What a state keeps of itself, of a decay in parts of 4096."""
    decay = _numbers(where, found, name, shape)
    if np.any(decay < 0) or np.any(decay > UNITY):
        raise ParameterError(
            where, f"{name} spans {np.min(decay):g} to {np.max(decay):g}, expected "
            f"0 to {UNITY}")
    return np.asarray((np.float32(UNITY) - decay) / np.float32(UNITY))


def _sigma_delta(where: str, layer: Layer, found: Layer, shape: Shape) -> SigmaDelta | LI:
    """A sigma-delta unit; of an input layer its delta, of an output layer its sigma."""
    encodes, bias = layer.get("type") == "input", bias_of(where, layer, shape)
    if "sigma_output" in found:
        if np.any(bias):
            raise UnsupportedNeuronError(where, "a sum of changes with a bias cannot be compiled")
        return LI(decay=np.ones((), np.float32))
    if not encodes and found.get("activation", "relu") != "relu":
        raise UnsupportedNeuronError(
            where, f"an activation of {str(found['activation'])[:40]} cannot be "
            "compiled", "relu is supported.")
    threshold = _numbers(where, found, "vThMant", shape)
    if np.any(threshold < 0):
        raise UnsupportedNeuronError(where, f"its vThMant of {np.min(threshold):g} lies below 0")
    return SigmaDelta(threshold=threshold, offset=bias, rectified=not encodes,
                      accumulates=not encodes, spike_step=PARTS)


def _resonator(where: str, layer: Layer, found: Layer, shape: Shape) -> ResonateFire:
    if np.any(bias_of(where, layer, shape)):
        raise UnsupportedNeuronError(where, "resonators with a bias cannot be compiled")
    sin, cos = (_numbers(where, found, name, shape) for name in ("sinDecay", "cosDecay"))
    if np.any(np.hypot(sin, cos) > UNITY):
        raise ParameterError(where, f"its sinDecay and cosDecay lie outside of a circle of {UNITY}")
    return ResonateFire(
        sin_decay=sin / np.float32(UNITY), cos_decay=cos / np.float32(UNITY), state_step=PARTS,
        threshold=_numbers(where, found, "vThMant", shape), phase=found["type"] == "RF_PHASE")


def number(where: str, values: Layer, name: str, default: int | None = None) -> int:
    """One whole number of `values`; NmcError where it is absent (without a default) or none."""
    value = values.get(name, default)
    array = np.asarray(value)
    if value is None or array.size != 1 or array.dtype.kind not in "biuf" or (
        float(array.reshape(-1)[0]) != int(array.reshape(-1)[0])
    ):
        raise ParameterError(where, f"its {name} is no whole number")
    return int(array.reshape(-1)[0])


def _numbers(where: str, values: Layer, name: str, shape: Shape) -> Array:
    """Whole numbers, one for all neurons, for each channel or for each neuron."""
    array = np.asarray(values.get(name, np.zeros(0)))
    if array.size == 0 or array.dtype.kind not in "biuf" or np.any(array != np.rint(array)):
        raise ParameterError(where, f"its {name} is no whole number")
    return spread(where, array.astype(np.float32), shape, name)


def bias_of(where: str, layer: Layer, shape: Shape) -> Array:
    """The biases of `layer`, over `shape` or as one number."""
    return spread(where, numbers_of(where, layer, "bias", 0).astype(np.float32), shape, "bias")


def spread(where: str, values: Array, shape: Shape, name: str) -> Array:
    """`values` as one number or over `shape`, from one a channel or one a neuron."""
    if values.size == 1:
        return values.reshape(())
    if values.size not in (shape[0], prod(shape)):
        raise ParameterError(where, f"{name} holds {values.size} numbers for a shape of {shape}")
    each = (-1, *[1] * (len(shape) - 1))
    aligned = values.reshape(shape if values.size == prod(shape) else each)
    return np.ascontiguousarray(np.broadcast_to(aligned, shape))
