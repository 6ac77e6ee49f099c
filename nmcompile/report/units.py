"""Numbers with units, in words."""

from __future__ import annotations

PREFIXES = (
    (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
    (1e-12, "p"))
ROUNDED = 0.9995  # of a factor, from which three digits make it 1


def percent(share: float) -> str:
    """A share from 0 to 1 in words, in whole percent; what is nearly nothing or all is not that."""
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def si(value: float, unit: str) -> str:
    """`value` with three digits and a prefix."""
    for factor, prefix in PREFIXES:
        if abs(value) >= factor * ROUNDED:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
