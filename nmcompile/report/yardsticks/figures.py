"""The yardsticks of a build as plain data: counts of the model and of the chip, and estimates."""

from __future__ import annotations

from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand
from nmcompile.report.yardsticks.chip import compiled_counts, run_counts
from nmcompile.report.yardsticks.estimates import estimates
from nmcompile.report.yardsticks.neurobench import Counts
from nmcompile.simulator import Run


def compiled_yardsticks(program: Program, needs: Demand, real: Counts | None) -> Counts:
    """What a compilation knows.

    real  `real_counts` of the model on the sample that it was traced on; None where it is unknown
    """
    return {"float": real, "chip": compiled_counts(program, needs),
            "estimates": [] if real is None else estimates("float", real, real)}


def run_yardsticks(compiled: Counts, program: Program, run: Run) -> Counts:
    """`compiled` with the counts of a run of the chip, beside an ANN of the model's layers."""
    chip = run_counts(compiled["chip"], program, run)
    kept = [row for row in compiled["estimates"] if row["of"] == "float"]
    layers = compiled["float"] or chip
    return {**compiled, "chip": chip, "estimates": [*kept, *estimates("chip", chip, layers)]}
