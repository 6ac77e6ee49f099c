"""Spikes lost and added at their senders, each by a number drawn from where and when it is."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


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


@kernel
def disturb(payload, step, sample, first, seed, drop, add):
    """Lose spikes with the chance `drop`, and let the silent send 1 with the chance `add`.

    payload       (steps, samples, n) int32, changed in place
    step, sample  the first ones, of the network and of the whole run
    first         number of the first sender among all
    """
    for i in range(payload.shape[0]):
        for row in range(payload.shape[1]):
            word = stream(seed, sample + row, step + i)
            for sender in range(payload.shape[2]):
                value = drawn(word, first + sender)
                if payload[i, row, sender] != 0:
                    if value < drop:
                        payload[i, row, sender] = 0
                elif value < add:
                    payload[i, row, sender] = 1
