"""All configuration files of a Loihi program."""

from __future__ import annotations

from pathlib import Path

from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.lava_script import write_lava
from nmcompile_backends.loihi.net_file import write_net
from nmcompile_backends.loihi.registers import write_registers

from nmcompile.errors import ExportError
from nmcompile.ir import Network
from nmcompile.mapping import Program


def emit(program: Program, folder: Path) -> dict[str, str]:
    """Write the configuration of `program` into `folder`: file name -> what it is.

    A file that cannot express the network is not written; its name maps to "not written: " and
    the population or projection that is in the way.
    """
    network = program.network
    _require_edges(network)
    return (write_net(network, folder) | write_lava(network, folder, program.latency)
            | write_registers(program, folder))


def _require_edges(network: Network) -> None:
    """Refuse limits of v and edges that the files have no words for: they are Lava's."""
    for population in network.populations:
        neuron = population.neuron
        if isinstance(neuron, LoihiNeuron) and (
                neuron.edges != "lava" or neuron.v_limits != (1 - 2**23, 2**23 - 1)):
            raise ExportError(
                population.name,
                f"edges like those of '{neuron.edges}' and v from {neuron.v_limits[0]} to "
                f"{neuron.v_limits[1]} can be simulated, not written: files mean Lava's",
                "Leave `edges`, `v_min_exponent` and `v_max_exponent` at their defaults.")
