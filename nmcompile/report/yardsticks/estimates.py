"""Energies that papers estimate from counts of operations: of no chip, beside a quantised ANN."""

from __future__ import annotations

from dataclasses import dataclass

from nmcompile.report.yardsticks.neurobench import Counts

PICO = 1e-12
ANN_BITS = 8  # of the weights and activations of the network that is compared with
STATE_BITS = 32  # of a membrane in real numbers
MEMORY_BIT = 3.12  # pJ to read or write a bit; STEP (Shen et al. 2025, arXiv 2505.11151), table 9


@dataclass(frozen=True, kw_only=True)
class Energies:
    """Picojoules of an operation, in 45 nm and at 0.9 V.

    M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure
    1.1.9: 32-bit floats multiply for 3.7 and add for 0.9, 8-bit integers for 0.2 and 0.03.
    """

    mac: float
    ac: float


FLOAT32 = Energies(mac=4.6, ac=0.9)
INT8 = Energies(mac=0.23, ac=0.03)


def spiking_energy(macs: float, acs: float, energies: Energies = FLOAT32) -> float:
    """Joules of so many operations: the estimate of most papers, with macs of the first layer."""
    return (macs * energies.mac + acs * energies.ac) * PICO


def estimates(of: str, counts: Counts, layers: Counts) -> list[Counts]:
    """Rows of joules a sample, by `counts` of a run: the network's, and a quantised ANN's.

    The equations are in docs/yardsticks.md.

    of      whose counts they are, "float" or "chip"
    layers  counts with the layers of the ANN: it runs them once, with every weight and value

    spiking_j  of the network
    ann_j      of the ANN; where it works bit by bit, with every bit of its values set
    even_at    share of its bits that may be set for both to cost the same; None where it does not
               work bit by bit. From 1 on it costs less whatever they are, below 0 more
    """
    macs, acs, dense = counts["effective_macs"], counts["effective_acs"], layers["connections"]
    real = spiking_energy(macs, acs)
    serial = ANN_BITS * dense * FLOAT32.ac * PICO
    states = 2 * STATE_BITS * counts["states"] * counts["steps"] * MEMORY_BIT * PICO
    values = 2 * ANN_BITS * layers["neurons"] * MEMORY_BIT * PICO
    return [
        _row(of, "45nm_float32", real, spiking_energy(dense, 0)),
        _row(of, "45nm_int8", spiking_energy(macs, acs, INT8), spiking_energy(dense, 0, INT8)),
        _row(of, "bit_serial", real, serial, _even(real, serial)),
        _row(of, "bit_serial_states", real + states, serial + values,
             _even(real + states - values, serial)),
    ]


def _row(
    of: str, name: str, spiking_j: float, ann_j: float, even_at: float | None = None
) -> Counts:
    return {"of": of, "estimate": name, "spiking_j": spiking_j, "ann_j": ann_j, "even_at": even_at}


def _even(left: float, serial: float) -> float | None:
    return left / serial if serial else None
