"""The fixed sections of the Lava script, as text."""

HEAD = '''\
"""A network compiled by nmcompile for Loihi, as Lava processes.

Run it with Python 3.10 and lava-nc 0.10:

    python lava_model.py DATA OUTPUT.npz [--steps N] [--samples N] [--encode rate]

{usage}OUTPUT.npz  <population>/spikes and, but for relays, whose v is cleared behind each message,
            <population>/v, each (samples, steps, *shape), int32. Step 0 of a population is the one
            in which input step 0 reaches it: LAGS steps later on Lava's clock. So
            `nmc validate DIR --device file:OUTPUT.npz --input DATA` holds it against the build

Samples run one after the other, each in processes of its own, from a reset network.
"""

import argparse
import math
import sys
import zipfile
from pathlib import Path

import numpy as np
'''

# What the script imports of what it uses: module and names.
IMPORTS = (
    ("lava.magma.core.decorator", ("implements", "requires", "tag")),
    ("lava.magma.core.model.py.model", ("PyLoihiProcessModel",)),
    ("lava.magma.core.model.py.ports", ("PyInPort", "PyOutPort")),
    ("lava.magma.core.model.py.type", ("LavaPyType",)),
    ("lava.magma.core.process.ports.ports", ("InPort", "OutPort")),
    ("lava.magma.core.process.process", ("AbstractProcess",)),
    ("lava.magma.core.process.variable", ("Var",)),
    ("lava.magma.core.resources", ("CPU",)),
    ("lava.magma.core.run_conditions", ("RunSteps",)),
    ("lava.magma.core.run_configs", ("Loihi2SimCfg",)),
    ("lava.magma.core.sync.protocols.loihi_protocol", ("LoihiProtocol",)),
    ("lava.proc.atrlif.process", ("ATRLIF",)),
    ("lava.proc.conv.models", ("AbstractPyConvModel",)),
    ("lava.proc.conv.process", ("Conv",)),
    ("lava.proc.dense.process", ("DelayDense", "Dense")),
    ("lava.proc.graded.process", ("GradedVec",)),
    ("lava.proc.io.sink", ("RingBuffer as Sink",)),
    ("lava.proc.io.source", ("RingBuffer as Source",)),
    ("lava.proc.lif.process", ("LIF",)),
    ("lava.proc.monitor.process", ("Monitor",)),
    ("lava.proc.rf.models", ("AbstractPyRFModelFixed",)),
    ("lava.proc.rf.process", ("RF",)),
    ("lava.proc.rf_iz.process", ("RF_IZ",)),
    ("lava.proc.sdn.models", ("AbstractSigmaDeltaModel",)),
    ("lava.proc.sdn.process", ("ActivationMode", "Delta", "SigmaDelta")),
    ("lava.proc.sparse.process", ("DelaySparse", "Sparse")),
    ("lava.utils.weightutils", ("SignMode",)),
    ("scipy.sparse", ("csc_matrix",)),
)

DATA = '''\

FOLDER = Path(__file__).parent
{tables}'''

NEURON = '''\


class LoihiNeuron(AbstractProcess):
    """Loihi's neuron with what Lava's own leaves out: parameters of single neurons, soft reset,
    refractory steps, a readout that never fires, states to begin with, and a start before which
    the state is held.

    reset      "none", "zero", "subtract" (in the step of the spike) or "subtract-late" (in the
               step after it, behind the leak)
    inclusive  True where v == vth already fires
    """

    def __init__(
        self, *, shape, u, v, du, dv, vth, bias, refractory, reset, inclusive, silent, start
    ):
        super().__init__(
            refractory=refractory, reset=reset, inclusive=inclusive, silent=silent, start=start)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.u = Var(shape=shape, init=u)
        self.v = Var(shape=shape, init=v)
        self.hold = Var(shape=shape, init=0)
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.vth = Var(shape=shape, init=vth)
        self.bias = Var(shape=shape, init=bias)


@implements(proc=LoihiNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLoihiNeuron(PyLoihiProcessModel):
    """The neuron in exact integers; 24-bit u wraps, 24-bit v saturates, decays round to zero."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    u: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    hold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=6)
    du: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dv: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=17)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=20)

    def run_spk(self):
        arriving = self.a_in.recv().astype(np.int64)
        spikes = np.zeros(self.v.shape, bool)
        if self.time_step > self.proc_params["start"]:  # Lava's first step is 1
            spikes = self.step(arriving)
        self.s_out.send(spikes)

    def step(self, arriving):
        reset, silent = self.proc_params["reset"], self.proc_params["silent"]
        level = self.vth.astype(np.int64) << 6
        below = level - self.proc_params["inclusive"]
        u = decayed(self.u, 4095 - self.du) + (arriving << 6)
        u = 2**23 - (2**23 - u) % 2**24
        v = decayed(self.v, 4096 - self.dv) + u + self.bias
        if reset == "subtract-late" and not silent:
            v = v - np.where(self.v > below, level, 0)
        v = np.where(self.hold > 0, 0, np.clip(v, 1 - 2**23, 2**23 - 1))
        spikes = (v > below) & (not silent)
        if reset == "zero":
            v = np.where(spikes, 0, v)
        elif reset == "subtract":
            v = np.where(spikes, v - level, v)
        hold = np.where(spikes, self.proc_params["refractory"], self.hold)
        self.u[:], self.v[:], self.hold[:] = u, v, np.maximum(hold - 1, 0)
        return spikes
'''

DECAYED = '''\


def decayed(state, factor):
    """`state * factor / 4096`, rounded toward zero."""
    state = state.astype(np.int64)
    return np.sign(state) * (np.abs(state) * factor >> 12)
'''

SHIFTED_CONV = '''\


class ShiftedConv(Conv):
    """Lava's Conv with a delay, and with its weight exponent applied to the sums, which Lava's
    fixed-point model leaves out."""

    def __init__(self, *, delay, **kwargs):
        super().__init__(**kwargs)
        self.proc_params["delay"] = delay


@implements(proc=ShiftedConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyShiftedConv(AbstractPyConvModel):
    """Lava's model, which buffers for one step what `clamp_precision` returns."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    a_buf: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    weight: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.waiting = []

    def clamp_precision(self, x):
        exponent = self.proc_params["weight_exp"]
        self.waiting.append(x << exponent if exponent >= 0 else x >> -exponent)
        if len(self.waiting) < self.proc_params["delay"]:
            return np.zeros_like(x)
        return self.waiting.pop(0)
'''

BUILD = '''\


def build(sent):
    """The connected network: process by name of input or population.

    sent  input name -> (n, steps) integers
    """
    arrays = np.load(FOLDER / "arrays.npz")
    node = {}
'''

MAIN = '''\
    return node


def membrane(process):
    """The variable that stands for v; sigma-delta neurons call it act, resonators imag."""
    return next(getattr(process, name) for name in ("act", "imag", "v") if hasattr(process, name))


def run(sent, steps):
    """Spikes and v of every population in one sample, (steps, *shape) each, in its own time.

    sent  input name -> (steps, n) integers; behind the last one the input is zero
    """
    total = steps + max(LAGS.values())
    node = build({name: np.pad(values, ((0, total - len(values)), (0, 0))).T
                  for name, values in sent.items()})
    sinks, monitors = {}, {}
    for name in SHAPES:
        process = node[name]
        sinks[name] = Sink(shape=process.s_out.shape, buffer=total)
        process.s_out.connect(sinks[name].a_in)
        monitors[name] = Monitor()
        monitors[name].probe(membrane(process), total)
    root = node[next(iter(SHAPES))]
    root.run(condition=RunSteps(num_steps=total), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    records = {}
    for name, shape in SHAPES.items():
        own = slice(LAGS[name], LAGS[name] + steps)
        records[f"{name}/spikes"] = sinks[name].data.get().T[own].reshape(steps, *shape)
        if name not in RELAYS:
            v = monitors[name].get_data()[node[name].name][membrane(node[name]).name]
            records[f"{name}/v"] = v.reshape(total, -1)[own].reshape(steps, *shape)
    root.stop()
    return {key: values.astype(np.int32) for key, values in records.items()}
'''
