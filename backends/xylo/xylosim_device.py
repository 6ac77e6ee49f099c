"""SynSense's XyloSim as a device: it runs xylo.json in a Python of its own."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from nmcompile_backends.xylo.emit import FILE
from nmcompile_backends.xylo.topology import hidden_populations, output_names

from nmcompile.device import Place, Ran, Recording, Standing, Wanted
from nmcompile.devices.other_python import Folder, Tool, interpreter, run_there, standing
from nmcompile.errors import BuildError, DeviceBuildError, reading
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

RUNNER = Path(__file__).with_name("xylosim_runner.py")
TOOL = Tool(
    name="xylosim", variable="NMC_XYLO_PYTHON", module="xylosim",
    ask="importlib.metadata.version('xylosim') * bool(importlib.metadata.version('rockpool'))",
    version="0.1.3",
    install="Make one with Python 3.11: python3.11 -m venv xylo; xylo/bin/pip install "
            "rockpool==3.1.0 xylosim==0.1.3.")
EARLY = 1  # steps: in XyloSim inputs reach hidden neurons in the step in which they are given
HIDDEN = {"spikes": "Spikes", "u": "Isyn", "v": "Vmem"}
OUTPUTS = {"spikes": "Spikes_out", "u": "Isyn_out", "v": "Vmem_out"}


class XylosimDevice:
    """XyloSim 0.1.3: spikes of all populations with their synaptic currents and membranes.

    Nothing is measured.
    """

    name = "xylosim"

    def __init__(self) -> None:
        self._python: Path | None = None
        self._program: Program | None = None
        self._config = Path()

    def open(self, place: Place) -> None:
        """Find the Python: the address, or NMC_XYLO_PYTHON; raises NmcError where it lacks it."""
        self._python = interpreter(TOOL, place)

    def look(self) -> Standing:
        """See `Sought`."""
        return standing(TOOL)

    def load(self, program: Program, config: Path) -> None:
        """Take a Xylo program whose xylo.json is in `config`; raises NmcError for another."""
        if program.target.family != "xylo":
            raise DeviceBuildError("device xylosim", "runs Xylo's programs, this one is for "
                                   f"{program.target.name}", "Compile with --target xylo_a2.")
        if not (config / FILE).is_file():
            raise BuildError(str(config), f"holds no {FILE}", "Compile the model again.")
        self._program, self._config = program, config.resolve()

    def readable(self) -> Wanted:
        """Spikes, u and v of every population; the compiler uses one synapse."""
        return {p.name: tuple(HIDDEN) for p in self._loaded().network.populations}

    def run(self, inputs: Mapping[str, Array], wanted: Wanted, ran: Ran) -> Recording:
        """Run samples, each on a simulator of its own."""
        program, python = self._loaded(), self._python
        assert python is not None
        samples, steps = next(iter(inputs.values())).shape[:2]
        sent = np.concatenate([inputs[port.name].reshape(samples, steps, -1)
                               for port in program.network.inputs], axis=2)
        lags = ((0, 0), (0, max(program.latency.values())), (0, 0))
        chip = "a2" if program.target.name == "xylo_a2" else "imu"
        folder = Folder()
        try:
            given, found = folder.path / "inputs.npz", folder.path / "output.npz"
            np.savez(given, input=np.pad(sent, lags))
            run_there(TOOL, python, RUNNER,
                      [str(self._config / FILE), chip, str(given), str(found)],
                      lambda: ran(steps))
            with (reading("device xylosim", "gave no readable output"), found.open("rb") as raw,
                  np.load(raw, allow_pickle=False) as file):
                arrays = {name: file[name] for name in file.files}
        finally:
            folder.close()
        return Recording(variables=self._variables(arrays, wanted, steps))

    def close(self) -> None:
        """Nothing stays open between runs."""
        self._program = None

    def _variables(
        self, arrays: dict[str, Array], wanted: Wanted, steps: int
    ) -> dict[str, dict[str, Array]]:
        """Columns of each population's neurons, in the network's own time."""
        network = self._loaded().network
        names = output_names(network)
        groups = ((hidden_populations(network, names), HIDDEN),
                  (tuple(network.population(name) for name in names), OUTPUTS))
        found: dict[str, dict[str, Array]] = {}
        for populations, theirs in groups:
            ends = [0, *np.cumsum([p.size for p in populations]).tolist()]
            for population, (begin, end) in zip(populations, pairwise(ends), strict=True):
                lag = self._loaded().latency[population.name] - EARLY
                found[population.name] = {
                    v: arrays[theirs[v]][:, lag : lag + steps, begin:end].astype(
                        np.int32).reshape(-1, steps, *population.shape)
                    for v in wanted.get(population.name, ())}
        return {name: variables for name, variables in found.items() if variables}

    def _loaded(self) -> Program:
        assert self._program is not None
        return self._program
