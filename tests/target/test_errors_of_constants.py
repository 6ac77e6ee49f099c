"""Constants say how wrong they may be, with a source, or say nothing of it."""

import numpy as np
import pytest

from nmcompile.errors import NmcError
from nmcompile.target import installed, load_target, parse_target

OLD = 'static = { value = 0.1044, unit = "W", kind = "measured", source = "'


def loihi1(fields):
    """Loihi 1 with `fields` in place of what is said of the error of its static power."""
    text = installed()["loihi1"]
    line = next(line for line in text.splitlines() if line.startswith("static = "))
    return parse_target(text.replace(line, f'{OLD}somewhere"{fields} }}'), "t.toml")


def test_an_error_and_a_range_become_shares_of_the_value():
    told = ', spread = "for this test"'
    assert loihi1("").power_w.static.ratios is None
    assert loihi1(", error = 0.25" + told).power_w.static.ratios == (0.75, 1.25)
    assert loihi1(", low = 0.0522, high = 0.2088" + told).power_w.static.ratios == (0.5, 2.0)


def test_a_value_of_nothing_stands_for_what_another_constant_holds():
    assert load_target("spinnaker2").energy_j.packet_in.ratios == (1.0, 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (", error = 0.1", "spread is the source of error, or of low and high: give both or none"),
        (', spread = "a paper of 2018"',
         "spread is the source of error, or of low and high: give both or none"),
        (', low = 0.1, spread = "a paper of 2018"', "give either error, or low and high"),
        (', error = 0.1, low = 0.1, high = 0.2, spread = "a paper of 2018"',
         "give either error, or low and high"),
        (', low = 0.2, high = 0.3, spread = "a paper of 2018"',
         "value 0.1044 is not from low 0.2 to high 0.3"),
    ],
)
def test_half_an_error_is_refused(fields, message):
    with pytest.raises(NmcError) as error:
        loihi1(fields)
    assert str(error.value).startswith(f"t.toml: power_w.static: {message}")


@pytest.mark.parametrize("name", sorted(installed()))
def test_every_target_names_the_boundary_of_its_figures(name):
    target = load_target(name)
    assert target.io is not None
    assert target.io.boundary.value
    for constant in target.constants().values():
        assert (constant.ratios is None) or np.all(np.diff(constant.ratios) >= 0)
