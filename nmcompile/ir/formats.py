"""Number formats of spikes and synapses."""

from __future__ import annotations

from dataclasses import dataclass

SPLIT = "split"
SIGNS = ("mixed", "excitatory", "inhibitory", SPLIT)


@dataclass(frozen=True, kw_only=True)
class SpikeFormat:
    """What one spike of an input carries.

    payload_bits  0: binary spikes; n > 0: signed integers of n bits; None: real numbers
    scale         the real value of one unit of payload
    unsigned      whether none is below 0
    """

    payload_bits: int | None = None
    scale: float = 1.0
    unsigned: bool = False

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
    sign      "mixed", "excitatory", "inhibitory", or SPLIT: weights above 0 feed the first of
              their target's two currents, the magnitudes of those below 0 the second
    """

    bits: int
    exponent: int = 0
    sign: str = "mixed"


@dataclass(frozen=True, kw_only=True)
class WeightWidth:
    """How finely the weights of a layer are stored.

    bits    of storage for one weight, sign included
    levels  steps above zero, and below it, that are used; None: all that the bits hold
    """

    bits: int
    levels: int | None = None

    def within(self, low: int, high: int, step: int) -> tuple[int, int, int]:
        """Mantissas from `low` to `high` in steps, as far as this width uses them."""
        if self.levels is None:
            return low, high, step
        return max(low, -self.levels * step), min(high, self.levels * step), step

    def __str__(self) -> str:
        """As the user names it: 8, 4, 2, ternary."""
        return "ternary" if self == TERNARY else str(self.bits)


TERNARY = WeightWidth(bits=2, levels=1)
