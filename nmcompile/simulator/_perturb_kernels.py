"""Spikes lost and added at their senders, each by a number drawn from where and when it is."""

import numpy as np
from numba import prange

from nmcompile.arithmetic.jit import kernel, parallel_kernel


@kernel
def scrambled(word):
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) on a 64-bit word."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@kernel
def stream(seed, sample, step):
    """The word from which the senders of a step of a sample draw."""
    return scrambled(scrambled(scrambled(seed) + np.uint64(sample)) + np.uint64(step))


@kernel
def drawn(word, sender):
    """A number from 0 to 1, 1 not among them, of a sender; steps of the golden ratio."""
    odd = np.uint64(0x9E3779B97F4A7C15)
    return (scrambled(word + (np.uint64(sender) + np.uint64(1)) * odd) >> np.uint64(11)) * 2.0**-53


@parallel_kernel
def disturb(payload, sample, step, first, seed, drop, add):
    """Lose spikes with the chance `drop`, and let the silent send 1 with the chance `add`.

    payload  (samples, n) int32, changed in place
    sample   (samples,) int64 numbers in the whole run
    first    number of the first sender among all
    """
    for row in prange(payload.shape[0]):
        word = stream(seed, sample[row], step)
        for sender in range(payload.shape[1]):
            value = drawn(word, first + sender)
            if payload[row, sender] != 0:
                if value < drop:
                    payload[row, sender] = 0
            elif value < add:
                payload[row, sender] = 1
