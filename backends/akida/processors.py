"""How many neural processors akida takes for each layer: measured, for it documents no rule.

akida 2.19.3, `map(AKD1000(), mode=MapMode.Minimal)` of single layers. It splits filters by what
44,800 bytes hold of them, and pictures by what 43,008 bytes hold of a layer's input.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from nmcompile_backends.akida.arithmetic import ACT_BITS
from nmcompile_backends.akida.layer import AkidaLayer, Kind

from nmcompile.errors import BoardLimitError

PROCESSORS = 78  # "Not enough hardware components of type CNP1": one for each fully connected layer
INPUT_BYTES, WORD_BITS = 43008, 1792  # 44,800 bytes of weights are 25 by 8 such words
WORDS = 128  # most channels' worth of weights that a word is cut into
# Groups of 8 filters for each vector of input channels that a word holds, by kernel and bits
GROUPS = {(1, 4): (24, 1), (1, 2): (24, 1), (3, 4): (8, 3), (3, 2): (5, 2), (5, 4): (1, 1),
          (5, 2): (1, 1), (7, 4): (3, 8), (7, 2): (1, 2)}
MOST_FILTERS, MOST_COLUMNS = 504, 32  # of a processor
SEPARABLE_BYTES = 43000  # below what a filter too many took of each layer that was measured
UNEVEN = 16  # fewer filters of a separable layer are on each of three processors or more
# Pointwise filters in whose place the depthwise kernels are, by kernel and bits
DEPTHWISE = {(3, 4): 16, (3, 2): 24, (5, 4): 40, (5, 2): 40, (7, 4): 88, (7, 2): 88}


def processors(layer: AkidaLayer) -> int:
    """Processors of a layer: as many as akida takes, or up to half more where it splits."""
    if layer.kind in (Kind.FULLY_CONNECTED, Kind.INPUT_CONVOLUTIONAL):
        return int(layer.kind is Kind.FULLY_CONNECTED)
    filters = len(layer.weight if layer.pointwise is None else layer.pointwise)
    held = _filters(layer)
    if layer.kind is Kind.SEPARABLE and filters > 2 * held:
        held = max(8, held - UNEVEN)
    return -(-filters // held) * _parts(layer)


def require_processors(layers: Iterable[AkidaLayer]) -> None:
    """Raise NmcError where layers need more processors than there are."""
    need = {layer.name: processors(layer) for layer in layers}
    if sum(need.values()) > PROCESSORS:
        largest = sorted(need, key=need.__getitem__, reverse=True)[:3]
        raise BoardLimitError(
            "network", f"its layers need {sum(need.values()):,} neural processors, AKD1000 has "
            f"{PROCESSORS}; largest layers: {', '.join(f'{n} {need[n]:,}' for n in largest)}",
            "Take fewer filters, smaller pictures or --bits 2.")


def _filters(layer: AkidaLayer) -> int:
    """Filters that a processor holds."""
    channels, kernel, bits = layer.in_shape[0], layer.weight.shape[2], max(layer.weight_bits, 2)
    if layer.kind is Kind.SEPARABLE:
        held = SEPARABLE_BYTES * 8 // (channels * bits) - DEPTHWISE[kernel, bits]
        return max(8, min(MOST_FILTERS, held // 8 * 8))
    many, of = GROUPS[kernel, bits]
    held = min(WORD_BITS // (channels * bits), WORDS)
    return max(8, min(MOST_FILTERS, 8 * (held * many // of)))


def _parts(layer: AkidaLayer) -> int:
    """The fewest parts of a picture, each with the lines around it that its kernels reach."""
    channels, rows, columns = layer.in_shape
    reach = layer.weight.shape[2] - 1
    places = INPUT_BYTES * 8 // (channels * ACT_BITS[-1])
    found = inf
    for across in range(-(-columns // MOST_COLUMNS), columns + 1):
        for down in range(1, rows + 1):
            if down * across >= found:
                break
            if _lines(rows, down, reach) * _lines(columns, across, reach) <= places:
                found = down * across
    return int(min(found, PROCESSORS + 1))


def _lines(lines: int, parts: int, reach: int) -> int:
    """Lines of the largest of `parts`, which are of even sizes."""
    even = -(-lines // parts // 2) * 2
    return lines if parts == 1 else min(lines, even + reach)
