"""Step Lava's process models without Lava's runtime; run by a Python that has lava-nc 0.10.

    python lava_runner.py FOLDER INPUTS.npz OUTPUT.npz STEPS

FOLDER holds a lava_model.py (see `nmcompile_backends.loihi.lava_script`) and its arrays.
INPUTS.npz holds for each input, by its number, (samples, given steps, n) integers; behind the last
of the given steps inputs are zero. OUTPUT.npz holds `<number of population>/<name>` of the spikes
and every state, (samples, steps, n). A line on stdout for each sample that is done.

Lava's runtime starts an operating system's process for each Lava process, which takes seconds a
network. Here the same process models, chosen by Lava's own run configuration and built by Lava's
own builder, run in one thread each and talk through queues; ports transform what arrives as in the
runtime. Nothing of the arithmetic is ours but the classes that a script itself holds, and matrices
of delayed weights are built once in place of each step.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs, find_processes
from lava.magma.compiler.utils import VarInitializer
from lava.magma.core.model.py.ports import IdentityTransformer, VirtualPortTransformer
from lava.magma.core.process.ports.ports import create_port_id
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.models import AbstractPyDelayDenseModel
from lava.proc.sparse.models import AbstractPyDelaySparseModel

STATES = ("u", "v", "sigma", "act", "residue", "real", "imag", "i", "theta", "r")
CONFIGURATION = Loihi2SimCfg(select_tag="fixed_pt")
MODELS: dict[type, type] = {}  # Lava's search reads all files of a package, once a class is enough


class Channel:
    """One connection: what a port sends waits in the sender's type, as in Lava's shared memory."""

    name = "channel"

    def __init__(self, shape: tuple[int, ...], d_type: type) -> None:
        self.shape, self.d_type = shape, d_type
        self.waiting: SimpleQueue[np.ndarray] = SimpleQueue()

    def send(self, data: np.ndarray) -> None:
        """Put a copy of `data` behind what waits."""
        if data.shape != self.shape:
            raise ValueError(f"{data.shape} arrived for a port of {self.shape}")
        self.waiting.put(np.array(data, self.d_type))

    def recv(self) -> np.ndarray:
        """Take what was sent first."""
        return self.waiting.get()


def main() -> None:
    """Run the samples that the command line names."""
    folder, given, output, steps = sys.argv[1:]
    prepare()
    script = loaded(Path(folder) / "lava_model.py", "lava_model")
    with np.load(given, allow_pickle=False) as file:
        inputs = [file[str(i)] for i in range(len(script.INPUTS))]
    parts: list[dict[str, np.ndarray]] = []
    for sample in range(len(inputs[0])):
        sent = {name: padded(values[sample], int(steps))
                for name, values in zip(script.INPUTS, inputs, strict=True)}
        nodes = script.build(sent)
        parts.append(run(nodes, {str(i): nodes[name] for i, name in enumerate(script.SHAPES)},
                         int(steps)))
        print("done", flush=True)
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    np.savez(output, **found)  # type: ignore[arg-type]


def padded(values: np.ndarray, steps: int) -> np.ndarray:
    """(given steps, n) as (n, steps) with zeros behind."""
    return np.pad(values.astype(np.int32), ((0, steps - len(values)), (0, 0))).T


def prepare() -> None:
    """Let an error in any thread end all, and keep Lava from building matrices in each step."""
    threading.excepthook = lambda error: (traceback.print_exception(error.exc_value), os._exit(1))
    remember(AbstractPyDelayDenseModel)
    remember(AbstractPyDelaySparseModel)


def remember(model: Any) -> None:
    """Keep the matrix of delayed weights that `model` builds anew in each step."""
    build, made = model.get_delay_wgts_mat, {}

    def kept(weights: Any, delays: Any, max_delay: int) -> Any:
        if id(weights) not in made:
            made[id(weights)] = (weights, build(weights, delays, max_delay))
        return made[id(weights)][1]

    model.get_delay_wgts_mat = staticmethod(kept)


def loaded(path: Path, name: str) -> ModuleType:
    """The script at `path` as a module of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(nodes: dict[str, Any], watched: dict[str, Any], steps: int) -> dict[str, np.ndarray]:
    """Spikes and states of the `watched` processes after each step."""
    processes = {p.id: p for node in nodes.values() for p in find_processes(node)
                 if not list(p.procs)}  # those that only hold others have no model of their own
    models = {number: built(process) for number, process in processes.items()}
    listening = {name: Channel(p.s_out.shape, np.int32) for name, p in watched.items()}
    connect(processes, models, {p.id: listening[name] for name, p in watched.items()})
    rows: dict[int, list[dict[str, np.ndarray]]] = {number: [] for number in models}
    threads = [Thread(target=advance, args=(model, steps, rows[number]), daemon=True)
               for number, model in models.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = {}
    for name, process in watched.items():
        records[f"{name}/spikes"] = np.array([listening[name].recv() for _ in range(steps)])
        for state in rows[process.id][0]:
            records[f"{name}/{state}"] = np.array([row[state] for row in rows[process.id]])
    return records


def advance(model: Any, steps: int, rows: list[dict[str, np.ndarray]]) -> None:
    """Run `model` for `steps` and keep its states after each."""
    for _ in range(steps):
        model.time_step += 1
        model.run_spk()
        rows.append({name: np.array(getattr(model, name)) for name in STATES
                     if isinstance(getattr(model, name, None), np.ndarray)})


def built(process: Any) -> Any:
    """The process model that Lava chooses for `process`, with its variables, without ports."""
    kind = type(process)
    if kind not in MODELS:
        found = ProcGroupDiGraphs._find_proc_models(process)
        MODELS[kind] = ProcGroupDiGraphs._select_proc_models(process, found, CONFIGURATION)
    builder = PyProcessBuilder(MODELS[kind], process.id, process.proc_params)
    builder.set_variables([VarInitializer(v.name, v.shape, v.init, v.id) for v in process.vars])
    return builder.build()


def connect(processes: dict[int, Any], models: dict[int, Any], ears: dict[int, Channel]) -> None:
    """Give every model its ports; `ears` hear what the spike ports of some processes send."""
    outgoing: dict[str, list[Channel]] = {}
    for number, process in processes.items():
        for port in process.in_ports:
            arriving = {}
            for source in port.get_src_ports():
                lava_type = getattr(type(models[source.process.id]), source.name)
                key = create_port_id(source.process.id, source.name)
                arriving[key] = Channel(source.shape, lava_type.d_type)
                outgoing.setdefault(key, []).append(arriving[key])
            lava_type, functions = getattr(type(models[number]), port.name), (
                port.get_incoming_transform_funcs())
            change = (VirtualPortTransformer(arriving, functions) if functions
                      else IdentityTransformer())
            setattr(models[number], port.name, lava_type.cls(
                list(arriving.values()), models[number], port.shape, lava_type.d_type, change))
    for number, process in processes.items():
        for port in process.out_ports:
            lava_type = getattr(type(models[number]), port.name)
            channels = outgoing.get(create_port_id(number, port.name), [])
            if port.name == "s_out" and number in ears:
                channels = [*channels, ears[number]]
            setattr(models[number], port.name, lava_type.cls(
                channels, models[number], port.shape, lava_type.d_type))


if __name__ == "__main__":
    main()
