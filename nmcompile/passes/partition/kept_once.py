"""What boxes have their cores keep once, for limits that a network could break."""

from __future__ import annotations

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.configurations import in_box, kept_limits, numbered
from nmcompile.target import Target


class KeptOnce:
    """Of every limit that all neurons on one core would break; the others never matter.

    limits  their names
    most    (m,) what a core keeps
    """

    def __init__(self, network: Network, target: Target) -> None:
        allowed, found = kept_limits(target), {}
        for limit, populations in numbered(network, target).items():
            kinds = len(np.unique(np.concatenate([n.reshape(-1) for n in populations])))
            if kinds > allowed[limit]:
                found[limit] = populations
        self.limits = tuple(found)
        self.most = np.array([allowed[limit] for limit in found], float)
        self._numbers = tuple(found.values())
        sizes = [1 + max(int(n.max(initial=-1)) for n in group) for group in self._numbers]
        self._first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def of(self, population: int, low: Array, high: Array) -> Array:
        """(k, numbers) bool, what each of k boxes low..high of a population asks for."""
        asked = np.zeros((len(low), self._first[-1]), bool)
        for first, group in zip(self._first, self._numbers, strict=False):
            for row, (a, b) in enumerate(zip(low, high, strict=True)):
                asked[row, first + in_box(group[population], a, b)] = True
        return asked

    def counted(self, asked: Array) -> Array:
        """(k, m) how many of each limit rows of `of` ask for, or several of them at once."""
        sides = zip(self._first[:-1], self._first[1:], strict=True)
        counts = [np.count_nonzero(asked[:, a:b], axis=1) for a, b in sides]
        return np.array(counts, float).reshape(len(self.most), len(asked)).T
