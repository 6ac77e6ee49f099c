"""Write what speech2spikes sends of random walks: tests/goldens/encode/speech2spikes.npz.

    pip install --no-deps speech2spikes==1.0.1
    python tools/oracles/speech2spikes_vectors.py tests/goldens/encode/speech2spikes.npz

Only its tensor_to_events is called, which needs no torchaudio.
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import torch

THRESHOLDS = np.array([0.25, 1.0, 2.5], np.float32)


def main(path: str) -> None:
    """Write x (samples, steps, values), thresholds, and events (thresholds, *x.shape)."""
    sys.modules["torchaudio"] = ModuleType("torchaudio")
    from speech2spikes import tensor_to_events

    steps = np.random.default_rng(0).standard_normal((4, 50, 6)).astype(np.float32)
    x = np.cumsum(steps, axis=1, dtype=np.float32)
    last = torch.tensor(x).transpose(1, 2)  # time is its last axis
    events = [tensor_to_events(last, threshold=float(t)).transpose(1, 2).numpy()
              for t in THRESHOLDS]
    np.savez(path, x=x, thresholds=THRESHOLDS, events=np.stack(events).astype(np.int8))


if __name__ == "__main__":
    main(sys.argv[1])
