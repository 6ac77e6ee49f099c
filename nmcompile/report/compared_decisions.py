"""Whether two runs on the same samples differ in accuracy by more than chance."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]
CHANCE = 0.05  # p from which on a difference may be chance


def decided_otherwise(first: Figures, other: Figures) -> Figures | None:
    """How the run of `other` decides the samples of that of `first`; both are reports.

    otherwise  samples that are decided otherwise, of `samples`
    won, lost  those of them that only `other` decides right, and only `first`
    p          that won and lost samples differ by as much or more where each is as likely as the
               other: two-sided, the exact form of the test of McNemar 1947, Psychometrika 12:153,
               which is a binomial test with 1/2

    None where it is not known that both ran on the same samples and labels, or what they decided.
    """
    from scipy.stats import binomtest

    ran = [figures["data"] for figures in (first, other)]
    told = [figures["decisions"] for figures in (first, other)]
    if (None in ran or None in told or ran[0]["sha256"] != ran[1]["sha256"]
            or told[0]["label"] != told[1]["label"]):
        return None
    rows = list(zip(told[0]["label"], told[0]["decision"], told[1]["decision"], strict=True))
    won = sum(before != label == after for label, before, after in rows)
    lost = sum(before == label != after for label, before, after in rows)
    return {"samples": len(rows), "won": won, "lost": lost,
            "otherwise": sum(before != after for _, before, after in rows),
            "p": float(binomtest(won, won + lost).pvalue) if won + lost else 1.0}


def decided_words(found: Figures) -> str:
    """What `decided_otherwise` gives, in words."""
    count, won, lost = (found[name] for name in ("otherwise", "won", "lost"))
    if not count:
        return f"all {found['samples']:,} samples decided as before"
    told = f"{count:,} sample{'s' if count != 1 else ''} decided otherwise"
    wrong = count - won - lost
    if wrong == count:
        return f"{told}, wrong in both"
    return (f"{told}: {won:,} won, {lost:,} lost{f', {wrong:,} wrong in both' if wrong else ''} "
            f"(McNemar's exact p = {found['p']:.2g}: "
            f"{'may be' if found['p'] >= CHANCE else 'hardly'} chance)")
