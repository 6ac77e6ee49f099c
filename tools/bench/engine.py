"""How near the functional engine comes to loops that do nothing but its additions.

    python tools/bench/engine.py

Layers of one kind are mapped to Loihi 2 and run on random spikes, one thread. For each the table
has synaptic events a second: of a bare loop over the same weights in the same process
(`_bare_kernels.py`), and of the engine's delivery through the mapping's axons. Behind it stands a
whole step (listing the input's spikes, delivery, update of the neurons, listing theirs), beside
the bare additions and bare updates of as many neurons. Times are of the thread, the least of
several runs.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

os.environ["NUMBA_NUM_THREADS"] = "1"

import _bare_kernels as bare
import numpy as np
from large_networks import Builder

from nmcompile.ir import Network
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.mapper import map_network
from nmcompile.registry import backend
from nmcompile.simulator.engine import AT_ONCE, BLOCK, Engine
from nmcompile.simulator.spikes import Spikes
from nmcompile.target import load_target, with_chips

RUNS, LEAST = 7, 0.02  # of each, and the seconds that each takes at the least
ACTIVITY = (0.01, 0.05, 0.2)


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Synaptic events a second, of a bare loop and of ours; seconds of a step, of both."""

    bare: float
    ours: float
    bare_step: float
    step: float


class Silent:
    """Keeps nothing of a run."""

    def watches(self, population: str) -> bool:
        """States are not wanted."""
        return False

    def add(self, *given: object) -> None:
        """Nothing is kept."""


def layers() -> Iterator[tuple[str, Network]]:
    """Networks of one layer."""
    for n_in, n_out in ((784, 128), (1024, 1024), (4096, 4096)):
        layer = Builder((n_in,), 0)
        layer.dense(n_out)
        yield f"dense {n_in} to {n_out}", layer.build()
    for n, fan_out in ((1000, 100), (10_000, 100)):
        layer = Builder((n,), 0)
        rng = np.random.default_rng(0)
        target = np.sort(rng.integers(0, n, (n, fan_out), np.int32), axis=1).reshape(-1)
        layer.add(Sparse(start=np.arange(0, n * fan_out + 1, fan_out), target=target,
                         weight=layer.weights(n * fan_out), in_shape=(n,), out_shape=(n,)))
        yield f"CSR {n} to {n}, {fan_out} each", layer.build()
    for channels, side, out, kernel, stride in (
            (2, 34, 16, 5, 1), (16, 32, 32, 3, 1), (32, 32, 64, 3, 2), (64, 56, 128, 3, 1)):
        layer = Builder((channels, side, side), 0)
        layer.conv(out, kernel, stride, kernel // 2)
        yield (f"conv {kernel} x {kernel}, {channels} x {side} x {side} to {out} channels"
               f"{', stride 2' if stride == 2 else ''}"), layer.build()


def seconds(call: Callable[[], object]) -> float:
    """Least seconds that this thread takes for a call, in several runs behind one that compiles."""
    call()
    begun, calls, times = time.thread_time(), 0, []
    while calls < 2 or time.thread_time() - begun < LEAST:
        call()
        calls += 1
    for _ in range(RUNS):
        begun = time.thread_time()
        for _ in range(calls):
            call()
        times.append((time.thread_time() - begun) / calls)
    return min(times)


def measure(network: Network, activity: float) -> Rates:
    """One layer at one activity."""
    port, target, linear = network.inputs[0], network.populations[0], network.projections[0].map
    machine = with_chips(load_target("loihi2"), 100)
    rates = np.full(port.size + target.size, 0.05, np.float32)
    program, _ = map_network(network, machine, backend(machine.family), rates)
    events_of = np.asarray(program.mapping.axons[0].synapses, np.int64)
    frames = min(max(2, AT_ONCE // (8 * target.size)), BLOCK)
    sent = (np.random.default_rng(1).random((1, frames, port.size)) < activity).astype(np.int32)
    lists = Spikes(1, port.size, 0, frames)
    lists.add(sent.swapaxes(0, 1), frames)
    start = lists.frames(0, frames)
    source = lists.source[: start[-1]]
    events = int(np.add.reduceat(np.append(events_of, 0), program.mapping.axons[0].start[:-1]
                                 )[source].sum())
    engine, out = Engine(program), np.zeros((frames, target.size), np.int32)
    deliver = engine.layers[target.name].arriving[0].deliver
    limit = seconds(bare_loop(linear, start, source, out))
    own = seconds(lambda: deliver.add(start, lists.source, lists.payload, (0, deliver.parts), 0,
                                      out))
    v, fired = np.zeros((1, target.size), np.int32)[0], np.zeros_like(out)
    updates = seconds(lambda: bare.update(v, out, fired, np.int32(3000), np.int32(500 << 6)))
    whole = seconds(lambda: engine.run({port.name: sent}, frames, Silent()))
    return Rates(bare=events / limit, ours=events / own, bare_step=(limit + updates) / frames,
                 step=whole / frames)


def bare_loop(
    linear: Dense | Conv | Sparse, start: np.ndarray, source: np.ndarray, out: np.ndarray
) -> Callable[[], None]:
    """The additions of a layer alone."""
    if isinstance(linear, Dense):
        weight = np.ascontiguousarray(linear.weight.T)
        return lambda: bare.dense(start, source, weight, out)
    if isinstance(linear, Sparse):
        return lambda: bare.sparse(start, source, linear.start, linear.target, linear.weight, out)
    channels, height, width = linear.out_shape
    channel, y, x = np.unravel_index(source, linear.in_shape)
    weight = np.ascontiguousarray(linear.weight.transpose(1, 2, 3, 0))
    sums = out.reshape(len(out), height, width, channels)
    return lambda: bare.conv(start, channel, y, x, weight, linear.stride[0], linear.padding[0],
                             sums)


def neurons(n: int) -> tuple[float, float]:
    """Updates a second of a bare loop and of Loihi's neuron."""
    layer = Builder((n,), 0)
    layer.dense(n)
    model, steps = layer.build().populations[0].neuron, max(1, 4_000_000 // n)
    current = np.random.default_rng(0).integers(-100, 100, (steps, 1, n), np.int32)
    v, fired = np.zeros(n, np.int32), np.zeros_like(current)
    limit = seconds(lambda: bare.update(v, current[:, 0], fired[:, 0], np.int32(3000),
                                        np.int32(500)))
    state = {name: np.zeros((1, n), np.int32) for name in ("u", "v", "hold")}
    step = model.stepper((n,))
    return steps * n / limit, steps * n / seconds(lambda: step(state, current, fired))


def main() -> None:
    """Print the tables."""
    print(f"{platform.machine()}, one thread, G/s\n")
    print("| layer | active | bare loop | delivery | of it | step, bare | step | of it |\n"
          + "|---" * 8 + "|")
    for name, network in layers():
        for activity in ACTIVITY:
            told = measure(network, activity)
            print(f"| {name} | {activity:.0%} | {told.bare / 1e9:.2f} | {told.ours / 1e9:.2f} | "
                  f"{told.ours / told.bare:.0%} | {told.bare_step * 1e6:.1f} us | "
                  f"{told.step * 1e6:.1f} us | {told.bare_step / told.step:.0%} |", flush=True)
    print("\n| neurons | bare integrate and fire | Loihi's neuron | of it |\n" + "|---" * 4 + "|")
    for n in (128, 4096, 1_000_000):
        limit, own = neurons(n)
        print(f"| {n:,} | {limit / 1e9:.2f} | {own / 1e9:.2f} | {own / limit:.0%} |", flush=True)


if __name__ == "__main__":
    main()
