"""Which layers a Speck2f can hold: memory of each core, and a core for each layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nmcompile_backends.speck.cores import Shape
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from nmcompile.errors import BoardLimitError, CoreLimitError, NmcError


class Memory(NamedTuple):
    """Words of 8 bits (kernel) and 16 bits (neuron, bias): what a layer needs or a core has."""

    kernel: int
    neuron: int
    bias: int


# Data sheet table 1; sinabs 3.1.3 backend/dynapcnn/chips/dynapcnn.py, get_constraints.
CORES = tuple(
    Memory(kernel * 1024, neuron * 1024, 1024)
    for kernel, neuron in zip((16, 16, 16, 32, 32, 64, 64, 16, 16),
                              (64, 64, 64, 32, 32, 16, 16, 16, 16), strict=True)
)


def memory(kernel: tuple[int, int, int, int], neurons: Shape, biased: bool) -> Memory:
    """Words that a layer takes; addresses are bit fields, so extents count as powers of two.

    kernel   (features, channels, height, width) of the weights
    neurons  (features, height, width) of the neurons, ahead of pooling
    biased   whether the layer has biases at all, as sinabs counts them

    Data sheet 3.2.4.1; sinabs DynapcnnLayer.memory_summary.
    """
    features, channels, height, width = kernel
    return Memory(
        kernel=channels << (_bits(height * width) + _bits(features)),
        neuron=neurons[0] << (_bits(neurons[1]) + _bits(neurons[2])),
        bias=features if biased else 0)


def fitting(need: Memory) -> tuple[int, ...]:
    """The cores whose memories hold `need`."""
    return tuple(i for i, core in enumerate(CORES)
                 if all(n <= has for n, has in zip(need, core, strict=True)))


def assign(needs: dict[str, Memory]) -> dict[str, int]:
    """A core of its own for each layer, or NmcError naming what stands in the way.

    A maximum matching of layers and cores (Hopcroft and Karp 1973).
    """
    choices = {name: fitting(need) for name, need in needs.items()}
    for name, cores in choices.items():
        if not cores:
            raise _too_large(name, needs[name])
    table = np.zeros((max(len(needs), 1), len(CORES)), np.int8)
    for row, cores in enumerate(choices.values()):
        table[row, list(cores)] = 1
    matched = maximum_bipartite_matching(csr_array(table), perm_type="column")[: len(needs)]
    if np.any(matched < 0):
        raise _too_many(needs, int(np.count_nonzero(matched >= 0)))
    return {name: int(core) for name, core in zip(needs, matched, strict=True)}


def _bits(extent: int) -> int:
    """Bits that address `extent` places: the logarithm, rounded up."""
    return (extent - 1).bit_length()


def _too_large(name: str, need: Memory) -> NmcError:
    largest = Memory(*(max(core[i] for core in CORES) for i in range(3)))
    over = [f"{n:,} words of {kind} memory of at most {most:,}"
            for kind, n, most in zip(need._fields, need, largest, strict=True) if n > most]
    if over:
        return CoreLimitError(name, f"needs {', '.join(over)} on a core", "Make the layer smaller.")
    return CoreLimitError(
        name, f"needs {need.kernel:,} words of kernel and {need.neuron:,} of neuron memory: no "
        "core of Speck has both", "Cores with large kernels have few neurons: shrink either.")


def _too_many(needs: dict[str, Memory], placed: int) -> NmcError:
    listed = ", ".join(f"{name} {need.kernel:,} + {need.neuron:,} (cores "
                       f"{', '.join(map(str, fitting(need)))})" for name, need in needs.items())
    return BoardLimitError(
        "network", f"{placed} of its {len(needs)} layers find a core of their own on Speck's "
        f"{len(CORES)}; words of kernel + neuron memory: {listed}",
        "Make layers smaller that fit few cores.")
