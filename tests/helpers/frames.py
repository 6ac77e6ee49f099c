"""Frames of spikes that a test writes down."""

import numpy as np

from nmcompile.mapping import Frames


def frames_of(spikes: np.ndarray) -> Frames:
    """The frames of (steps, samples, senders) payloads, 0 where nothing is sent."""
    steps, samples, senders = spikes.shape
    flat = spikes.reshape(steps * samples, senders)
    frame, sender = np.nonzero(flat)
    start = np.concatenate([[0], np.cumsum(np.bincount(frame, minlength=len(flat)))])
    return Frames(samples=samples, start=start, sender=sender.astype(np.int32),
                  payload=flat[frame, sender].astype(np.int32))
