"""Random networks of one SpiNNaker core, run with our ring buffers and neurons."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker import ring as rings
from nmcompile_backends.spinnaker.accum import encode
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.parameters import Cell, delta_neuron, neuron

SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_core.py"
OF_NEURON = ("v_init", "v_rest", "resistance", "decay", "i_offset", "timer", "v_reset",
             "refractory")  # in the order of the core's memory
OF_SYNAPSES = ("exc_decay", "exc_gain", "exc_init", "inh_decay", "inh_gain", "inh_init")
OF_DELTA = ("exc_init", "inh_init")


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreNetwork:
    """Neurons on one core, with outer sources in front of their own rows; spikes (steps, outer)."""

    neuron: SpinnakerNeuron
    cell: Cell
    dt_ms: float
    n: int
    synapses: rings.Synapses
    slots: int
    spikes: np.ndarray

    @property
    def bits(self):
        return max(1, int(np.ceil(np.log2(self.n)))), int(np.log2(self.slots))


def random_core(seed, *, steps=60, sizes=(2, 40), wild=False, delta=False):
    """Any parameters within reason; `wild` ones are any words, so that sums and products wrap.

    Odd seeds have conductances, unless synapses are to be without decay.
    """
    rng = np.random.default_rng(seed)
    n, outer = (int(rng.integers(*sizes)) for _ in range(2))
    dt_ms = float(rng.choice([1.0, 1.0, 0.5, 0.1]))
    conductance = bool(seed % 2) and not delta
    shifts = tuple(int(s) for s in rng.integers(0, 12 if conductance else 6, 2))
    cell = _cell(rng, n, dt_ms)
    model = (delta_neuron("n", cell, (n,), dt_ms=dt_ms, shifts=shifts) if delta else
             neuron("n", cell, (n,), dt_ms=dt_ms, conductance=conductance, shifts=shifts))
    if wild:
        model = _wild(rng, n, model)
    slots = int(2 ** rng.integers(1, 6))
    target = 2.0 ** rng.uniform(-3, 3) if not conductance else 2.0 ** rng.uniform(-10, -5)
    return CoreNetwork(
        neuron=model, cell=cell, dt_ms=dt_ms, n=n, slots=slots,
        synapses=_synapses(rng, outer + n, n, slots, _magnitude(target, shifts, conductance)),
        spikes=(rng.random((steps, outer)) < rng.uniform(0.02, 0.5)).astype(np.int32),
    )


def run_core(network, *, plain=False):
    """(steps, n, 5) v, refractory timer, exc, inh, spiked; and how often an entry saturated."""
    n, outer = network.n, network.spikes.shape[1]
    ring, saturated = rings.empty_ring(network.slots, n), 0
    network.synapses.verify("synapses", ring)
    state, stepper = network.neuron.initial_state((1, n)), network.neuron.stepper((n,))
    deliver = rings.deliver_plainly if plain else rings.deliver
    history = []
    for step, sent in enumerate(network.spikes):
        current = rings.take(ring, step).astype(np.int32)[None]
        if plain:
            state, fired = network.neuron.step(state, current)
        else:
            fired = np.zeros((1, n), np.int32)
            stepper(state, current.reshape(1, 1, -1), fired[None])
        saturated += deliver(ring, step, np.flatnonzero(np.concatenate([sent, fired[0]])),
                             network.synapses)
        history.append(np.stack(
            [state[k][0] for k in ("v", "hold", "exc", "inh")] + [fired[0]], axis=1))
    assert outer + n == len(network.synapses.start) - 1
    return np.array(history), saturated


def synaptic_words(network):
    """The words of sPyNNaker's synaptic rows (synapse_dynamics_static.py)."""
    s, bits = network.synapses, network.bits[0]
    return (s.weight.astype(np.uint32) << 16 | s.delay.astype(np.uint32) << (bits + 1)
            | s.kind.astype(np.uint32) << bits | s.target.astype(np.uint32))


def register_table(network):
    """(n, 15 or 11) int32: every register of the core, in the order of its memory."""
    of_synapses = OF_DELTA if network.neuron.delta else OF_SYNAPSES
    names = (*OF_NEURON, *of_synapses, "threshold")
    values = [getattr(network.neuron, name, 0) for name in names]
    rows = [np.broadcast_to(np.asarray(v, np.int64), (network.n,)) for v in values]
    return np.stack(rows, axis=1).astype(np.int32)


def _region(network, early):
    """The words of the NeuronParameters region, struct after struct."""
    cell, n = network.cell, network.n

    def struct(*values):
        columns = [np.broadcast_to(encode(v, "cell") if not isinstance(v, int) else v, (n,))
                   for v in values]
        return np.stack(columns, axis=1).reshape(-1)

    parts = [[1], struct(cell.v, cell.v_rest, cell.cm, cell.tau_m, cell.i_offset, cell.v_reset,
                         cell.tau_refrac, early, network.dt_ms)]
    if network.neuron.conductance:
        parts.append(struct(cell.e_rev_e, cell.e_rev_i))
    if network.neuron.delta:
        parts += [struct(network.dt_ms), struct(cell.v_thresh), struct(cell.isyn_exc, cell.isyn_inh)]
        return np.concatenate(parts).astype(np.int64)
    parts += [struct(cell.v_thresh), struct(cell.tau_syn_e, cell.isyn_exc, cell.tau_syn_i,
                                            cell.isyn_inh, network.dt_ms)]
    return np.concatenate(parts).astype(np.int64)


def on_core(python, networks, folder, *, poke=False, early=None, script=SCRIPT):
    """What `script` of tools/oracles says of `networks` on sPyNNaker's programs.

    poke   whether our registers replace those that the core computes
    early  of each network, what its refractory timers begin with; default 0
    """
    data = {"count": len(networks)}
    for i, network in enumerate(networks):
        model = network.neuron
        number = 2 if model.delta else int(model.conductance)
        data |= {f"model{i}": number, f"parameters{i}": _region(network, early[i] if early else 0),
                 f"shifts{i}": np.array([model.shift_exc, model.shift_inh]),
                 f"bits{i}": np.array(network.bits), f"start{i}": network.synapses.start,
                 f"words{i}": synaptic_words(network), f"spikes{i}": network.spikes}
        if poke:
            data[f"registers{i}"] = register_table(network)
    np.savez(folder / "networks.npz", **data)
    subprocess.run([python, script, "networks.npz", "results.npz"], cwd=folder, check=True,
                   timeout=300)
    with np.load(folder / "results.npz") as results:
        return dict(results)


def _cell(rng, n, dt_ms):
    def each(low, high):
        value = rng.uniform(low, high, n if rng.random() < 0.5 else ())
        return np.round(value, int(rng.integers(1, 7)))

    return Cell(
        tau_m=each(2, 40), cm=each(0.2, 2), v_rest=each(-70, -60), v_reset=each(-80, -60),
        v_thresh=each(-58, -50), tau_syn_e=each(0.6 * dt_ms, 12), tau_syn_i=each(0.6 * dt_ms, 12),
        tau_refrac=each(0, 4 * dt_ms), i_offset=each(-0.2, 0.8), e_rev_e=each(-5, 5),
        e_rev_i=each(-85, -70), v=each(-70, -60), isyn_exc=each(0, 1), isyn_inh=each(0, 1))


def _wild(rng, n, model):
    """Any words in all registers but the reversal potentials, which the core keeps elsewhere."""
    edges = np.array([-(2**31), 2**31 - 1, -1, 0, 1, -(2**30), 2**30, 2**15, -(2**15)])

    def words(low=-(2**31), high=2**31):
        values = rng.integers(low, high, n) >> rng.integers(0, 24, n)
        allowed = edges[(edges >= low) & (edges < high)]
        return np.where(rng.random(n) < 0.2, rng.choice(allowed, n), values)

    signed = ("v_rest", "v_reset", "threshold", "resistance", "decay", "i_offset", "v_init",
              "exc_init", "inh_init")
    return replace(
        model, **{k: words().astype(np.int32) for k in signed},
        **{k: words(0, 2**32).astype(np.uint32)
           for k in ("exc_decay", "exc_gain", "inh_decay", "inh_gain")},
        refractory=rng.integers(0, 5, n).astype(np.int32),
        shift_exc=int(rng.integers(0, 17)), shift_inh=int(rng.integers(0, 17)))


def _magnitude(weight, shifts, conductance):
    """Typical weight words, one for each type; some of them saturate a ring buffer entry."""
    unit = 1024 if conductance else 1
    return [float(np.clip(weight * unit * 2.0 ** (15 - s), 2, 20000)) for s in shifts]


def _synapses(rng, n_sources, n, slots, typical):
    counts = rng.integers(0, n + 4, n_sources)
    total = int(counts.sum())
    kind = (rng.random(total) < 0.3).astype(np.uint8)
    size = np.array(typical)[kind] * rng.uniform(0, 2, total)
    size = np.where(rng.random(total) < 0.02, 0xFFFF, size)
    return rings.Synapses(
        start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), kind=kind,
        target=rng.integers(0, n, total).astype(np.int32),
        delay=rng.integers(1, slots + 1, total).astype(np.uint16),
        weight=np.minimum(size, 0xFFFF).astype(np.uint16))
