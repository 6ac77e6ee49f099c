"""lava-nc as a device: the emitted script's processes, stepped in lava-nc's own Python."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.lava_script import ARRAYS, SCRIPT, lava_script
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from nmcompile.device import Place, Ran, Recording, Standing, Wanted
from nmcompile.devices.other_python import Folder, Tool, interpreter, run_there, standing
from nmcompile.errors import (
    BuildError,
    DeviceAnswerError,
    DeviceBuildError,
    UnsafeFileError,
    reading,
)
from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

RUNNER = Path(__file__).with_name("lava_runner.py")
TOOL = Tool(
    name="lava", variable="NMC_LAVA_PYTHON", module="lava-nc",
    ask="importlib.metadata.version('lava-nc')", version="0.10.",
    install="Make one with Python 3.10: python3.10 -m venv lava; lava/bin/pip install "
            "lava-nc==0.10.0.")
# Ours -> Lava's names of the same state, the first that a process has.
LAVA_NAMES = {"u": ("u", "i"), "v": ("v", "act", "imag"), "re": ("real",)}


class LavaDevice:
    """Lava's process models in fixed point; spikes of all populations, and their states.

    A relay's v is cleared behind each message there, and Lava's Delta keeps no sigma: these are
    not readable. Nothing is measured.
    """

    name = "lava"

    def __init__(self) -> None:
        self._python: Path | None = None
        self._program: Program | None = None
        self._folder: Folder | None = None

    def open(self, place: Place) -> None:
        """Find the Python: the address, or NMC_LAVA_PYTHON; raises NmcError where it lacks Lava."""
        self._python = interpreter(TOOL, place)

    def look(self) -> Standing:
        """See `Sought`."""
        return standing(TOOL)

    def load(self, program: Program, config: Path) -> None:
        """Take a Loihi program, and its arrays from `config`.

        What runs is the script of `program`, never that of the folder. Raises NmcError where the
        two are not the same, or the program is for another chip.
        """
        if program.target.family != "loihi":
            raise DeviceBuildError("device lava", f"runs Loihi's programs, this one is for "
                                   f"{program.target.name}", "Compile with --target loihi2.")
        for name in (SCRIPT, ARRAYS):
            if not (config / name).is_file():
                raise BuildError(str(config), f"holds no {name}", "Compile the model again.")
        script, _ = lava_script(program.network, program.latency)
        if (config / SCRIPT).read_bytes() != script:
            raise UnsafeFileError(
                str(config / SCRIPT), "is not the script of this program, and is not "
                "run", "Compile the model again.")
        self.close()
        self._program, self._folder = program, Folder()
        (self._folder.path / SCRIPT).write_bytes(script)
        shutil.copyfile(config / ARRAYS, self._folder.path / ARRAYS)

    def readable(self) -> Wanted:
        """Spikes, and the states that Lava keeps."""
        return {p.name: ("spikes", *_states(p)) for p in self._loaded().network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples, each in processes of its own."""
        program, python, loaded = self._loaded(), self._python, self._folder
        assert python is not None
        assert loaded is not None
        samples, steps = next(iter(inputs.values())).shape[:2]
        chip_steps = steps + max(program.latency.values())
        folder = Folder()
        try:
            given, found = folder.path / "inputs.npz", folder.path / "output.npz"
            sent = {str(i): inputs[port.name].reshape(samples, steps, -1)
                    for i, port in enumerate(program.network.inputs)}
            np.savez(given, **sent)  # type: ignore[arg-type]
            run_there(TOOL, python, RUNNER,
                      [str(loaded.path), str(given), str(found), str(chip_steps)],
                      lambda: ran(steps))
            with (reading("device lava", "gave no readable output"), found.open("rb") as raw,
                  np.load(raw, allow_pickle=False) as file):
                arrays = {name: file[name] for name in file.files}
        finally:
            folder.close()
        return Recording(variables={
            p.name: {v: self._cut(arrays, number, p, v, steps) for v in wanted[p.name]}
            for number, p in enumerate(program.network.populations) if p.name in wanted})

    def close(self) -> None:
        """Remove what was loaded; nothing else stays between runs."""
        if self._folder is not None:
            self._folder.close()
        self._program = self._folder = None

    def _cut(
        self, arrays: dict[str, Array], number: int, population: Population, variable: str,
        steps: int,
    ) -> Array:
        """A variable in the network's own time."""
        keys = [f"{number}/{name}" for name in LAVA_NAMES.get(variable, (variable,))]
        found = next((arrays[key] for key in keys if key in arrays), None)
        if found is None:
            raise DeviceAnswerError("device lava", f"has no {variable} of {population.name}")
        lag = self._loaded().latency[population.name]
        own = found[:, lag : lag + steps].astype(np.int32)
        return own.reshape(len(own), steps, *population.shape)

    def _loaded(self) -> Program:
        assert self._program is not None
        return self._program


def _states(population: Population) -> tuple[str, ...]:
    """States that Lava's process keeps as ours."""
    neuron = population.neuron
    if isinstance(neuron, LoihiSigmaDelta):
        return tuple(s for s in neuron.state_names if neuron.accumulates or s != "sigma")
    if isinstance(neuron, LoihiNeuron | LoihiAdaptive | LoihiResonator):
        return neuron.state_names
    return ()
