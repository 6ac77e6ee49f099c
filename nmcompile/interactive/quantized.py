"""What the integers of a chip cost a network, as tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING

from nmcompile.interactive.libraries import pandas as the_pandas
from nmcompile.number_formats import FormatRow
from nmcompile.stages import Quantized

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class QuantizeResult:
    """A network in a chip's integers, and what each number format costs if that was asked."""

    stage: Quantized
    formats: tuple[FormatRow, ...] = ()

    @property
    def layers(self) -> pandas.DataFrame:
        """A row for each layer with weights.

        weights, bits          how many there are, and how wide each is
        error                  root mean square error of the membrane over the threshold, of what
                               was kept
        clipped                weights beyond the largest integer
        overflows              how often a state left its register on the calibration data
        kept                   how the scale was chosen, in words
        """
        rows = [{"weights": e.weights, "bits": e.width, "error": e.error, "clipped": e.clipped,
                 "overflows": sum(e.overflows.values()), "kept": e.kept}
                for e in self.stage.errors]
        names = [e.population for e in self.stage.errors]
        return the_pandas().DataFrame(rows, index=the_pandas().Index(names, name="layer"))

    @property
    def number_formats(self) -> pandas.DataFrame:
        """A row for each number format that was asked for with `compare`: see `FormatRow`."""
        rows = [asdict(row) for row in self.formats]
        columns = list(FormatRow.__dataclass_fields__)
        return the_pandas().DataFrame(rows, columns=columns).set_index("name")

    def __repr__(self) -> str:
        """The checks, a line each."""
        return "\n".join(f"{check.arrow:9} {check.text}" for check in self.stage.checks)

    def _repr_html_(self) -> str:
        """The checks, the layers and the formats, for notebooks."""
        checks = "".join(f"<tr><td>{escape(check.arrow)}</td><td style='text-align:left'>"
                         f"{escape(check.text)}</td></tr>" for check in self.stage.checks)
        formats = self.number_formats.to_html() if self.formats else ""
        return f"<table>{checks}</table>{self.layers.to_html()}{formats}"
