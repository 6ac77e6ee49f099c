"""Runs a `.net` file by netx's documented rules, with no other knowledge of the program.

A layer's synapse takes one step. Images are (x, y, channel); a convolution is a true convolution
with the kernel flipped and transposed to (out, x, y, in); `flatten` goes back to C-order.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.signal import convolve2d

NEVER = 10**9  # reset interval of a network that is not reset


def run(path: Path, sent: np.ndarray, reset_offset: int | None = None) -> tuple[list, list]:
    """Spikes and v of each layer, (steps, *shape) in netx's own shapes; `sent` likewise.

    reset_offset  the step before which the first layer is cleared; each layer one step later
    """
    with h5py.File(path) as file:
        found = [Layer(file["layer"][str(i)]) for i in range(len(file["layer"]))]
    flatten, layers = False, []
    for layer in found:
        if layer.type not in ("input", "flatten"):
            layer.flatten = flatten
            layers.append(layer)
        flatten = layer.type == "flatten"
    spikes, v = [[] for _ in layers], [[] for _ in layers]
    for t, row in enumerate(sent):
        arriving = [row, *(s[t - 1] if t else None for s in spikes[:-1])]
        arriving[0] = sent[t - 1] if t else None
        for number, layer in enumerate(layers):
            if reset_offset is not None and t == reset_offset + number:
                layer.u, layer.v = layer.u * 0, layer.v * 0
            out = layer.step(arriving[number])
            spikes[number].append(out)
            v[number].append(layer.v)
    return [np.array(s) for s in spikes], [np.array(x) for x in v]


class Layer:
    """One layer of the file."""

    def __init__(self, group: h5py.Group) -> None:
        self.type = group["type"][0].decode()
        self.shape = tuple(int(n) for n in group["shape"][()][::-1])
        self.flatten = False
        if "neuron" not in group:
            return
        self.group = {name: group[name][()] for name in group if name not in ("neuron", "type")}
        cell = group["neuron"]
        self.du, self.dv = int(cell["iDecay"][()]) - 1, int(cell["vDecay"][()])
        self.level = int(cell["vThMant"][()]) * 64
        self.bias = self.group.get("bias", np.zeros(1)).astype(int) * 64
        self.u, self.v = np.zeros(self.shape, int), np.zeros(self.shape, int)

    def step(self, arriving: np.ndarray | None) -> np.ndarray:
        q = 0
        if arriving is not None:
            if self.flatten and arriving.ndim == 3:
                arriving = arriving.transpose(2, 1, 0).reshape(-1)
            q = self.convolve(arriving) if self.type == "conv" else (
                self.group["weight"].astype(int) @ arriving)
        u = np.trunc(self.u * (4095 - self.du) / 4096).astype(int) + q * 64
        self.u = (u + 2**23 - 1) % 2**24 - 2**23 + 1
        v = np.trunc(self.v * (4096 - self.dv) / 4096).astype(int) + self.u + self.bias
        v = np.clip(v, -(2**23) + 1, 2**23 - 1)
        spikes = v > self.level
        self.v = np.where(spikes, 0, v)
        return spikes.astype(int)

    def convolve(self, image: np.ndarray) -> np.ndarray:
        """(x, y, channel) to (x, y, channel), one pair of channels at a time."""
        weight = self.group["weight"][:, :, ::-1, ::-1]
        weight = weight.reshape(weight.shape[:4]).transpose(0, 3, 2, 1).astype(int)
        sx, sy = self.group["stride"][::-1]
        px, py = self.group["padding"][::-1]
        dx, dy = self.group["dilation"][::-1]
        kernel = np.zeros((weight.shape[0], dx * (weight.shape[1] - 1) + 1,
                           dy * (weight.shape[2] - 1) + 1, weight.shape[3]), int)
        kernel[:, ::dx, ::dy] = weight
        image = np.pad(image, ((px, px), (py, py), (0, 0)))
        per_group = self.shape[2] // self.group["groups"]
        out = np.zeros(self.shape, int)
        for o in range(self.shape[2]):
            for i in range(weight.shape[3]):
                channel = image[:, :, o // per_group * weight.shape[3] + i]
                out[:, :, o] += convolve2d(channel, kernel[o, :, :, i], "valid")[::sx, ::sy]
        return out
