"""The digits and the rate code of lava-dl's tutorial netx/mnist (run.ipynb, `PyInpImgToSpkModel`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHARED = Path(__file__).parents[3] / "shared" / "data"
STEPS = 32  # of an image; the reset interval on the chip is a power of two
LAG = 3  # from input to output on the chip, one step for each layer


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images (count, 784) of every class, and their labels; drawn with a fixed seed."""
    with np.load(SHARED / "mnist10k.npz") as file:
        chosen = np.random.default_rng(0).permutation(len(file["labels"]))[:count]
        return file["images"][chosen].reshape(count, -1), file["labels"][chosen].astype(int)


def rate_code(images: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """(images, steps, 784): each pixel drives an integrator that fires above 1 and begins again.

    The first step of an image is empty: the tutorial reads the image at its end.
    """
    v, spikes = np.zeros(images.shape), np.zeros((len(images), steps, images.shape[1]), np.int32)
    for step in range(1, steps):
        v = v + images / 255
        spikes[:, step] = v > 1
        v[v > 1] = 0
    return spikes


def decided(output: np.ndarray) -> np.ndarray:
    """(images,) the class of most spikes in `output`, of those that leave the chip in time."""
    return output[:, : output.shape[1] - LAG].sum(1).argmax(1)
