"""Number formats of spikes and synapses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpikeFormat:
    """What one spike of an input carries.

    payload_bits  0: binary spikes; n > 0: signed integers of n bits; None: real numbers
    scale         the real value of one unit of payload
    """

    payload_bits: int | None = None
    scale: float = 1.0

    @property
    def limit(self) -> int:
        """Largest payload magnitude; meaningless for real numbers."""
        return 1 if not self.payload_bits else 2 ** (self.payload_bits - 1) - 1


@dataclass(frozen=True, kw_only=True)
class SynapseFormat:
    """How the integer weights of one projection are stored.

    bits      bits per weight, sign included where `sign` is "mixed"
    exponent  the accumulated sum is shifted left by this (right if negative) before it reaches
              the neuron
    sign      "mixed", "excitatory" or "inhibitory"
    """

    bits: int
    exponent: int = 0
    sign: str = "mixed"
