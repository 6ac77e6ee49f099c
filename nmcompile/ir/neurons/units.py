"""Neurons in another unit of their membrane: the same spikes, every voltage times a factor."""

from __future__ import annotations

from dataclasses import replace

from nmcompile.ir.neurons.atrlif import ATRLIF
from nmcompile.ir.neurons.base import Array, Neuron
from nmcompile.ir.neurons.lif import LI, LIF, CubaLI, CubaLIF

VOLTAGES = ("threshold", "threshold_step", "v_min", "v_init", "u_init", "b_init", "r_init",
            "v_bias", "state_step")
FREE = (LIF, CubaLIF, LI, CubaLI, ATRLIF)


def has_free_unit(neuron: Neuron) -> bool:
    """Whether the neuron's spikes stay the same when all its voltages and its input are scaled.

    A chip's own neurons may say it, and then have a method `in_units`.
    """
    return isinstance(neuron, FREE) or bool(getattr(neuron, "free_unit", False))


def in_units(neuron: Neuron, factor: Array | float) -> Neuron:
    """`neuron` with each voltage times `factor`; its input is then to be scaled alike.

    factor  above 0, broadcastable to the population's shape
    """
    if not isinstance(neuron, FREE):
        changed: Neuron = neuron.in_units(factor)  # type: ignore[attr-defined]
        return changed
    held = {name: getattr(neuron, name) * factor for name in VOLTAGES if hasattr(neuron, name)}
    return replace(neuron, **held)
