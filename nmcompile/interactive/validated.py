"""A device held against a compiled network in Python: `program.validate`."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from nmcompile.interactive.libraries import pandas as the_pandas
from nmcompile.report import Figures

if TYPE_CHECKING:
    import pandas

DISTANCES = ("count", "van_rossum", "victor_purpura")
OF_RULES = ("rule", "text", "explained", "alike")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Validated:
    """What a device gave beside what was compiled, and where and why they first differ.

    figures  what `nmc validate --json` prints
    """

    figures: Figures

    @property
    def equal(self) -> bool:
        """Whether nothing that the device tells is other than compiled."""
        return self.figures["divergence"] is None

    @property
    def populations(self) -> pandas.DataFrame:
        """A row for each population.

        spikes_reference, spikes_device  spikes of both sides
        differing, share                 spikes that differ, and of those that either side sent
        count, van_rossum, victor_purpura  distances of spike trains, means over all trains
        <state>_differing, <state>_largest  values of a state, and the largest difference
        """
        rows = []
        for row in self.figures["populations"]:
            told = {"spikes_reference": row["spikes_reference"],
                    "spikes_device": row["spikes_device"]}
            if row["spikes_device"] is not None:
                told |= {name: row[name] for name in ("differing", "share")}
                told |= {name: row[name]["mean"] for name in DISTANCES}
            for name, state in row["states"].items():
                told |= {f"{name}_{what}": state[what] for what in ("differing", "largest")}
            rows.append(told)
        names = [row["name"] for row in self.figures["populations"]]
        return the_pandas().DataFrame(rows, index=the_pandas().Index(names, name="population"))

    @property
    def first(self) -> str:
        """Where the two first differ, in words; "" where they do not."""
        found = self.figures["divergence"]
        if found is None:
            return ""
        name = found["variable"]
        sides = found["states"].get(name, found["spikes"])
        return (f"sample {found['sample']}, step {found['step']}, population "
                f"{found['population']}, neuron {found['neuron']}: {name} {sides['reference']}, on "
                f"the device {sides['device']}")

    @property
    def incoming(self) -> pandas.DataFrame:
        """What arrived at the neuron that differs first, in that step: a row for each spike."""
        found = self.figures["divergence"]
        return the_pandas().DataFrame(
            found["incoming"] if found else [],
            columns=["projection", "source", "payload", "weight", "assumed"])

    @property
    def explanations(self) -> pandas.DataFrame:
        """The rules that explain the most of what differs in that population, the best first.

        explained  share of the values that differ which the rule gives
        alike      how many changes of the same kind explain as much
        """
        found = self.figures["divergence"] or {"explanations": []}
        rows = [{**{name: one[name] for name in ("rule", "text", "alike")},
                 "explained": 1 - one["differing"] / found["differing"]}
                for one in found["explanations"]]
        return the_pandas().DataFrame(rows, columns=list(OF_RULES))

    def __repr__(self) -> str:
        """What was held against what, and the first difference, in a line."""
        return (f"{self.figures['device']} against {self.figures['against']}: "
                f"{self.first or 'all that the device tells is what was compiled'}")

    def _repr_html_(self) -> str:
        """Populations, the first difference and what explains it, for notebooks."""
        told = self.figures
        shown = f"first difference: {self.first}" if self.first else (
            "all that the device tells is what was compiled")
        if not self.equal and told["divergence"]["shifts"] is not None:
            shown += "; the recording is what was compiled, later by steps: " + ", ".join(
                f"{name} {steps}" for name, steps in told["divergence"]["shifts"].items())
        limits = "".join(
            f"<li>{escape(limit['name'])} {limit['value']:.4g} is "
            f"{'above' if limit['exceeded'] else 'within'} {limit['limit']:g}</li>"
            for limit in told["limits"])
        rules = "" if self.equal else self.explanations.to_html(index=False)
        return (f"<b>{escape(told['device'])}</b> against {escape(told['against'])}: "
                f"{told['samples']:,} samples of {told['steps']:,} steps"
                f"{self.populations.to_html()}<ul>{limits}</ul><p>{escape(shown)}</p>{rules}")
