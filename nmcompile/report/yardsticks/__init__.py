"""Common yardsticks: what NeuroBench counts, and energies that are estimated from such counts."""

from nmcompile.report.yardsticks.chip import compiled_counts, run_counts
from nmcompile.report.yardsticks.estimates import Energies, estimates, spiking_energy
from nmcompile.report.yardsticks.figures import compiled_yardsticks, run_yardsticks
from nmcompile.report.yardsticks.neurobench import real_counts

__all__ = ["Energies", "compiled_counts", "compiled_yardsticks", "estimates", "real_counts",
           "run_counts", "run_yardsticks", "spiking_energy"]
