"""The functional engine beside lava-nc, snnTorch and torch on the same trained network.

    python tools/bench/peers.py LAVA

LAVA is a Python with lava-nc (`tools/oracles/make_env.py lava DIR`). The network is lava-dl's
tutorial for MNIST, 784-128-64-10, of `../shared/data`. Ours runs its program for Loihi 2, bit for
bit; lava-nc its fixed-point models, one sample; snnTorch and torch the same weights, decays and
thresholds in float32. Each is run several times in turn, and the least of its times counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import snntorch
import torch
from torch.nn.functional import linear

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.mnist import SHARED, digits, rate_code  # noqa: E402

from nmcompile.frontends.interface import Request  # noqa: E402
from nmcompile.frontends.lava_file import FRONTEND  # noqa: E402
from nmcompile.ir import Network  # noqa: E402
from nmcompile.ir.neurons.base import State  # noqa: E402
from nmcompile.mapping import Program  # noqa: E402
from nmcompile.pipeline import compile_stage  # noqa: E402
from nmcompile.registry import backend  # noqa: E402
from nmcompile.simulator import simulate  # noqa: E402
from nmcompile.simulator.engine import Engine  # noqa: E402
from nmcompile.target import load_target  # noqa: E402

FILE = SHARED / "lava" / "mnist_128_64_10.net"
DIGITS, STEPS, BATCH, TURNS, LAVA_STEPS = 2000, 100, 256, 5, 2000


class Counted:
    """Adds up the spikes of one population, (samples, n)."""

    def __init__(self, population: str, total: np.ndarray) -> None:
        self._population, self._total = population, total

    def watches(self, population: str) -> bool:
        """States are not wanted."""
        return False

    def add(
        self, population: str, step: int, sample: int, spikes: np.ndarray, state: State
    ) -> None:
        """Add those of some steps and samples."""
        if population == self._population:
            self._total[sample : sample + spikes.shape[1]] += spikes.sum(axis=0)


def ours(engine: Engine, program: Program, sent: np.ndarray) -> np.ndarray:
    """Spikes of the last layer, without timing."""
    chip_steps = sent.shape[1] + max(program.latency.values())
    last = program.network.populations[-1]
    counted = np.zeros((len(sent), last.size), np.int64)
    for begin in range(0, len(sent), BATCH):
        batch = {"input": sent[begin : begin + BATCH]}
        log = Counted(last.name, counted[begin : begin + BATCH])
        engine.run(batch, chip_steps, log)
    return counted


@torch.no_grad()
def with_torch(network: Network, sent: torch.Tensor) -> torch.Tensor:
    """Spikes of the last layer, step by step, with as few operations as torch lets it."""
    layers, total = _layers(network), 0
    states = [[torch.zeros(len(sent), len(weight)) for _ in range(2)] for weight, *_ in layers]
    for step in range(sent.shape[1]):
        spikes = sent[:, step]
        for (weight, alpha, beta, threshold), (u, v) in zip(layers, states, strict=True):
            u.mul_(alpha).addmm_(spikes, weight.T)
            v.mul_(beta).add_(u)
            fired = v > threshold
            v.masked_fill_(fired, 0)
            spikes = fired.float()
        total = total + spikes
    return total


@torch.no_grad()
def with_snntorch(network: Network, sent: torch.Tensor) -> torch.Tensor:
    """Spikes of the last layer, with snnTorch's Synaptic."""
    layers = [(weight, snntorch.Synaptic(alpha=alpha, beta=beta, threshold=threshold,
                                         reset_mechanism="zero"))
              for weight, alpha, beta, threshold in _layers(network)]
    states, total = [layer.init_synaptic() for _, layer in layers], 0
    for step in range(sent.shape[1]):
        spikes = sent[:, step]
        for i, (weight, layer) in enumerate(layers):
            spikes, *states[i] = layer(linear(spikes, weight), *states[i])
        total = total + spikes
    return total


def _layers(network: Network) -> list[tuple[torch.Tensor, float, float, float]]:
    return [(torch.tensor(link.map.weight.astype(np.float32)), 1 - (int(p.neuron.du) + 1) / 4096,
             1 - int(p.neuron.dv) / 4096, float(p.neuron.threshold))
            for link, p in zip(network.projections, network.populations, strict=True)]


def lava(python: str, program: Program, sent: np.ndarray) -> float:
    """Seconds of a step in lava-nc."""
    with tempfile.TemporaryDirectory() as folder:
        backend("loihi").emit(program, Path(folder))
        np.save(Path(folder) / "input.npy",
                sent.reshape(1, -1, sent.shape[-1])[:, : LAVA_STEPS + 1])
        told = subprocess.run(
            [python, ROOT / "tools" / "oracles" / "lava_rate.py", folder,
             Path(folder) / "input.npy", str(LAVA_STEPS)],
            check=True, stdout=subprocess.PIPE, text=True)
    seconds, spikes = told.stdout.split()[-2:]
    assert int(spikes) > 0
    return float(seconds) / LAVA_STEPS


def least(calls: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Least seconds of a step of a sample for each call, which has so many of them."""
    found = {name: np.inf for name in calls}
    for turn in range(TURNS + 1):
        for name, (call, steps) in calls.items():
            begun = time.perf_counter()
            call()
            if turn:
                found[name] = min(found[name], (time.perf_counter() - begun) / steps)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lava", help="a Python with lava-nc")
    python = parser.parse_args().lava
    images, labels = digits(DIGITS)
    sent = rate_code(images, STEPS).astype(np.int8)
    request = Request(path=FILE, sample=sent[:8].astype(np.float32))
    program = compile_stage(FRONTEND.load(request), load_target("loihi2")).program
    engine, floats = Engine(program), torch.from_numpy(sent[:BATCH].astype(np.float32))
    right = np.mean(ours(engine, program, sent).argmax(1) == labels)
    calls: dict[str, tuple[Callable[[], object], int]] = {
        f"ours, {DIGITS:,} samples": (lambda: ours(engine, program, sent), DIGITS * STEPS),
        "ours, 1 sample": (lambda: ours(engine, program, sent[:1]), STEPS),
        "snnTorch, 1 sample": (lambda: with_snntorch(program.network, floats[:1]), STEPS),
    }
    for threads in range(1, (os.cpu_count() or 1) + 1):
        calls[f"torch, {BATCH} samples, threads: {threads}"] = (
            lambda threads=threads: (torch.set_num_threads(threads),
                                     with_torch(program.network, floats)), BATCH * STEPS)
    found = least(calls)
    found["lava-nc, 1 sample"] = lava(python, program, sent)
    base = next(iter(found.values()))
    print(f"{right:.2%} of {DIGITS:,} digits right; seconds of a step of a sample\n\n"
          "| | us | times ours | times ours of 1 sample |\n" + "|---" * 4 + "|")
    for name, seconds in found.items():
        print(f"| {name} | {seconds * 1e6:.2f} | {seconds / base:,.1f} | "
              f"{seconds / found['ours, 1 sample']:,.1f} |")
    begun = time.perf_counter()
    simulate(program, {"input": sent})
    print(f"\n{DIGITS:,} digits, {STEPS} steps, with timing: {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
