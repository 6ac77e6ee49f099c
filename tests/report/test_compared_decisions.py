"""Whether runs on the same samples differ by more than chance."""

from math import comb

import pytest

from nmcompile.report.compared_decisions import decided_otherwise, decided_words


def report(decisions, labels, sha256="0"):
    return {"data": {"sha256": sha256}, "decisions": {"decision": decisions, "label": labels}}


def pairs(right, won, lost, wrong=0):
    """Two runs with so many samples right in both, won, lost, and wrong otherwise."""
    labels = [1] * (right + won + lost + wrong)
    first = [1] * right + [0] * won + [1] * lost + [0] * wrong
    other = [1] * right + [1] * won + [0] * lost + [2] * wrong
    return report(first, labels), report(other, labels)


def test_samples_are_counted_by_who_decides_them_right():
    labels = [0, 1, 2, 3, 4, 5]
    first, other = report([0, 1, 9, 9, 9, 5], labels), report([0, 9, 2, 8, 9, 5], labels)
    found = decided_otherwise(first, other)
    assert found == {"samples": 6, "otherwise": 3, "won": 1, "lost": 1, "p": 1.0}
    back = decided_otherwise(other, first)
    assert (back["won"], back["lost"], back["p"]) == (1, 1, 1.0)


def test_p_is_that_of_a_published_example():
    # vignette exactMcNemar of R's exact2x2: matrix(c(21, 9, 2, 12), 2, 2), p-value = 0.06543
    assert decided_otherwise(*pairs(21, 9, 2, 12))["p"] == pytest.approx(0.06543, abs=5e-6)


@pytest.mark.parametrize(("won", "lost"), [
    (0, 0), (1, 0), (1, 5), (4, 4), (0, 12), (30, 11), (120, 90)])
def test_p_is_twice_the_tail_of_fair_coins(won, lost):
    n, least = won + lost, min(won, lost)
    tail = sum(comb(n, k) for k in range(least + 1)) / 2**n
    for a, b in ((won, lost), (lost, won)):
        assert decided_otherwise(*pairs(7, a, b, 3))["p"] == pytest.approx(min(1, 2 * tail))


@pytest.mark.parametrize(("counts", "words"), [
    ((5, 0, 0), "all 5 samples decided as before"),
    ((90, 1, 5), "6 samples decided otherwise: 1 won, 5 lost (McNemar's exact p = 0.22: may be "
                 "chance)"),
    ((1, 0, 12, 2), "14 samples decided otherwise: 0 won, 12 lost, 2 wrong in both (McNemar's "
                    "exact p = 0.00049: hardly chance)"),
    ((3, 0, 0, 1), "1 sample decided otherwise, wrong in both")])
def test_a_difference_in_words(counts, words):
    assert decided_words(decided_otherwise(*pairs(*counts))) == words


def test_runs_of_other_or_unknown_samples_are_not_held_together():
    run = report([0, 1], [0, 1])
    for other in (report([0, 1], [0, 1], "1"), report([0, 1], [1, 1]), {**run, "data": None},
                  {**run, "decisions": None}):
        assert decided_otherwise(run, other) is None
        assert decided_otherwise(other, run) is None
