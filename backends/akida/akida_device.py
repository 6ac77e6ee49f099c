"""BrainChip's akida package as a device, in a Python of its own: its software, or a chip."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np
from nmcompile_backends.akida.akida_script import ARRAYS, LAYERS, SCRIPT
from nmcompile_backends.akida.arithmetic import AkidaNeuron
from nmcompile_backends.akida.emit import layers_of

from nmcompile.device import Place, Ran, Recording, Standing, Wanted
from nmcompile.devices.other_python import Folder, Tool, interpreter, run_there, standing
from nmcompile.errors import (
    BuildError,
    DataValueError,
    DeviceAnswerError,
    DeviceBuildError,
    DeviceUnreachableError,
    reading,
)
from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

INSTALL = ("Make one with Python 3.10: python3.10 -m venv akida; akida/bin/pip install "
           "akida==2.19.3.")


def _tool(name: str) -> Tool:
    return Tool(name=name, variable="NMC_AKIDA_PYTHON", module="akida",
                ask="importlib.metadata.version('akida')", version="2.19.3", install=INSTALL)


class AkidaSoftware:
    """akida 2.19.3's software backend: what every layer sends, and the sums of the last.

    Nothing is measured. Sums inside a layer, ahead of its pooling, cannot be read.
    """

    name = "akida_software"
    tool: ClassVar[Tool] = _tool("akida_software")
    mode: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._python: Path | None = None
        self._program: Program | None = None
        self._config = Path()

    def open(self, place: Place) -> None:
        """Find the Python: the address, or NMC_AKIDA_PYTHON; raises NmcError where it lacks it."""
        self._python = interpreter(self.tool, place)

    def look(self) -> Standing:
        """See `Sought`."""
        return standing(self.tool)

    def load(self, program: Program, config: Path) -> None:
        """Take a program for Akida whose layers are in `config`; raises NmcError for another."""
        if program.target.family != "akida":
            raise DeviceBuildError(
                f"device {self.name}", "runs programs for Akida, this one is for "
                f"{program.target.name}", "Compile with --target akd1000.")
        for file in (LAYERS, ARRAYS):
            if not (config / file).is_file():
                raise BuildError(str(config), f"holds no {file}", "Compile the model again.")
        self._program, self._config = program, config.resolve()

    def readable(self) -> Wanted:
        """What layers send; of the last layer, where nothing takes that, its sums as v."""
        return {p.name: ("spikes",) if _neuron(p).sends else ("spikes", "v")
                for p in self._populations()}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples; each step of one is a picture of its own."""
        port, python = self._loaded().network.inputs[0], self._python
        assert python is not None
        samples, steps = inputs[port.name].shape[:2]
        shape = layers_of(self._loaded().network)[0].in_shape
        values, most = inputs[port.name], port.format.limit
        if values.min(initial=0) < 0 or values.max(initial=0) > most:
            raise DataValueError(
                f"device {self.name}", f"input {port.name} sends {values.min()} to "
                f"{values.max()}, akida takes 0 to {most}")
        pictures = values.reshape(samples * steps, *shape).astype(np.uint8)
        folder = Folder()
        try:
            given, output = folder.path / "input.npy", folder.path / "output.npz"
            np.save(given, pictures)
            run_there(self.tool, python, SCRIPT,
                      [str(given), str(output), str(self._config), *self.mode], lambda: None)
            with (reading(f"device {self.name}", "gave no readable output"),
                  output.open("rb") as raw, np.load(raw, allow_pickle=False) as file):
                sent = {name: file[name] for name in file.files}
        finally:
            folder.close()
        ran(samples * steps)
        return Recording(variables={
            p.name: self._variables(p, sent, wanted[p.name], (samples, steps))
            for p in self._populations() if wanted.get(p.name)})

    def close(self) -> None:
        """Nothing stays open between runs."""
        self._program = None

    def _variables(
        self, population: Population, sent: dict[str, Array], wanted: tuple[str, ...],
        extent: tuple[int, int],
    ) -> dict[str, Array]:
        where = f"device {self.name}"
        if population.name not in sent:
            raise DeviceAnswerError(where, f"told nothing of {population.name}")
        values, size = sent[population.name], prod(extent) * population.size
        if values.size != size:
            raise DeviceAnswerError(
                where, f"gave {values.size:,} values of {population.name}, expected "
                f"{size:,}")
        values = values.astype(np.int32).reshape(*extent, *population.shape)
        known = {"v": values, "spikes": values if _neuron(population).sends
                 else np.zeros_like(values)}
        return {variable: known[variable] for variable in wanted}

    def _populations(self) -> tuple[Population, ...]:
        """Those whose values layers send."""
        network = self._loaded().network
        names = {layer.name for layer in layers_of(network)}
        return tuple(p for p in network.populations if p.name in names)

    def _loaded(self) -> Program:
        assert self._program is not None
        return self._program


class AkidaChip(AkidaSoftware):
    """An AKD1000 on this machine, the first that akida finds: what the last layer sends.

    The software backend never takes its place: that is the device akida_software.
    """

    name = "akida"
    tool: ClassVar[Tool] = _tool("akida")
    mode: ClassVar[tuple[str, ...]] = ("chip",)

    def open(self, place: Place) -> None:
        """Find the Python; raises NmcError where it finds no chip."""
        super().open(place)
        assert self._python is not None
        folder = Folder()
        try:
            probe = folder.path / "probe.py"
            probe.write_text("import akida\nfor device in akida.devices(): print(device)\n")
            found = list[None]()
            run_there(self.tool, self._python, probe, [], lambda: found.append(None))
        finally:
            folder.close()
        if not found:
            raise DeviceUnreachableError(
                "--device akida", "there is no AKD1000 on this machine", "akida's "
                "software backend is the device akida_software.")

    def _populations(self) -> tuple[Population, ...]:
        return super()._populations()[-1:]


def _neuron(population: Population) -> AkidaNeuron:
    assert isinstance(population.neuron, AkidaNeuron)
    return population.neuron
