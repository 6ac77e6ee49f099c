"""Why a population does not do what was compiled: one rule is changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nmcompile.validation import rules_of_neurons, rules_of_synapses
from nmcompile.validation.explanations import Case, Explanation, Found

KINDS: tuple[Callable[[Case], Iterator[Explanation]], ...] = (
    rules_of_neurons.unsent,
    rules_of_neurons.exchanged,
    rules_of_neurons.registers,
    rules_of_neurons.biases,
    rules_of_neurons.additions,
    rules_of_synapses.delays,
    rules_of_synapses.lost,
    rules_of_synapses.weights,
)


def explain(case: Case) -> list[Explanation]:
    """The explanations of `case` that leave and assume least, the best one first.

    Empty where none gives more of what was seen than the compiled population does.
    """
    found = Found()
    for kind in KINDS:
        found.all += kind(case)
    return found.best(case.differing)
