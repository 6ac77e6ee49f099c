"""Synaptic rows in the words that a SpiNNaker core reads."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from nmcompile_backends.spinnaker.ring import TYPE_BITS, bits_for

from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize.conv_algebra import integer_matrix

HEADER = 3  # words of a row ahead of its synapses
WEIGHT_SHIFT = np.uint32(16)


def matrix_of(linear: LinearMap) -> scipy.sparse.csc_array:
    """The whole weights of a map as a matrix (n_in, n_out), without those that are 0."""
    rows = integer_matrix(linear).astype(np.int64)
    rows.eliminate_zeros()
    return scipy.sparse.csc_array(rows)


def row_words(
    matrix: scipy.sparse.csc_array, neurons: Array, delay: int
) -> tuple[Array, Array]:
    """The rows into one core, (w,) uint32, and the source and first word of each, (r, 2) uint32.

    Rows lie one behind the other by ascending source. A source without a synapse has none.

    A row is three header words (words of its plastic part, fixed synapses, plastic synapses), then
    for each synapse weight, delay, type and neuron (sPyNNaker 7.4.1 synapse_dynamics_static.py,
    `get_static_synaptic_data`; synapse_row.h).

    matrix   (n_sources, n) weights, signed
    neurons  flat numbers of the core's neurons, in its order
    delay    steps, at most the slots of the core's ring buffer
    """
    rows = scipy.sparse.csr_array(matrix[:, neurons])
    rows.sort_indices()
    words = synapse_words(rows.data, rows.indices, rows.shape[1], delay)
    counts = np.diff(rows.indptr).astype(np.int64)
    sources = np.flatnonzero(counts)
    out, first = _with_headers(words, counts[sources])
    return out, np.stack([sources, first], axis=1).astype(np.uint32)


def synapse_words(weight: Array, neuron: Array, n: int, delay: int) -> Array:
    """(s,) uint32 synapses of (s,) weights onto neurons of a core with `n`.

    A delay of all slots of the ring buffer has a bit beyond those that a core looks at, for which
    it is 0.
    """
    index = bits_for(n)
    words: Array = (
        np.abs(weight).astype(np.uint32) << WEIGHT_SHIFT
        | np.uint32(delay << (index + TYPE_BITS))
        | (weight < 0).astype(np.uint32) << np.uint32(index)
        | neuron.astype(np.uint32))
    return words


def _with_headers(words: Array, counts: Array) -> tuple[Array, Array]:
    """Rows of `counts` synapses each, behind their headers, and where each begins."""
    out = np.zeros(len(words) + HEADER * len(counts), np.uint32)
    row = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts + HEADER * np.arange(len(counts))
    out[first + 1] = counts
    out[np.arange(len(words)) + HEADER * (row + 1)] = words
    return out, first
