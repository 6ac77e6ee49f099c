"""Target files: complete, sourced, and refused with file and field where they are not."""

import pytest

from nmcompile.errors import NmcError
from nmcompile.target import installed, load_target, parse_target, read_target

NETWORK = "\n[network]\n" + "".join(
    f'{name} = {{ value = {value}, unit = "of a test", kind = "estimate", source = "of a test" }}\n'
    for name, value in (("buffer", 4), ("core_buffer", 4), ("interval", 1e-9),
                        ("interval_chip", 1e-9), ("credit", 0.0), ("to_core", 0.0)))


@pytest.fixture
def text():
    return installed()["loihi1"]


def test_the_built_in_targets_are_found_by_name():
    assert {"loihi1", "loihi2", "truenorth"} <= set(installed())
    assert load_target("loihi1").n_cores == 32 * 128
    assert load_target("loihi2").cores_per_chip == 128


@pytest.mark.parametrize("name", ["loihi1", "loihi2", "spinnaker1", "spinnaker2", "truenorth"])
def test_every_constant_has_a_source_and_a_kind(name):
    for field, constant in load_target(name).constants().items():
        assert len(constant.source) >= 8, field
        assert constant.kind in ("measured", "published", "estimate")


def test_no_event_cost_of_loihi2_claims_to_be_more_than_an_estimate():
    target = load_target("loihi2")
    assert all(c.kind == "estimate" for _, c in target.energy_j if c)
    assert all(c.kind == "estimate" for _, c in target.time_s if c)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "value = 1024",
            'value = "many"',
            "t.toml: core.neurons.value: Input should be a valid integer, found 'many'.",
        ),
        (
            "value = 1024",
            "value = -4",
            "t.toml: core.neurons.value: Input should be greater than or equal to 1, found '-4'.",
        ),
        (
            'kind = "measured"',
            'kind = "guess"',
            "t.toml: time_s.neuron_update.kind: Input should be 'measured', 'published' or 'estimate', "
            "found 'guess'.",
        ),
        (
            "neurons = {",
            "nuerons = {",
            "t.toml: core.nuerons: is not a field of a target file. Did you mean 'neurons'?",
        ),
        ("[core]", "[heart]", "t.toml: heart: is not a field of a target file."),
        (
            "[4, 1.4e-6]",
            "[1, 1.4e-6]",
            "t.toml: time_s.barrier must list [active tiles, seconds] by rising tiles.",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_is_expected(text, old, new, message):
    assert old in text
    with pytest.raises(NmcError) as error:
        parse_target(text.replace(old, new, 1), "t.toml")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("loihi1", "cores_per_tile = { value = 4,", "cores_per_tile = { value = 59,",
         "network: board.cores_per_tile is 59, expected 58 or less."),
        ("spinnaker1", "", NETWORK,
         "network: a target has either [network] or [router], not both."),
        ("speck2f", "operation = { value = [1e-08, ", "operation = { value = [",
         "event_pipeline.operation has 8 entries, expected one for each of the 9 cores of a chip."),
        ("spinnaker1", "tick = { value = 1e-3", "tick = { value = 0.0",
         "timer_loop needs a time_s.tick above 0."),
    ],
)
def test_what_a_model_of_time_cannot_take_is_refused(name, old, new, message):
    text = installed()[name]
    assert old in text
    with pytest.raises(NmcError) as error:
        parse_target(text.replace(old, new, 1) if old else text + new, "t.toml")
    assert str(error.value) == f"t.toml: {message}"


def test_a_tile_may_have_as_many_cores_as_its_router_has_ports_for(text):
    large = text.replace("cores_per_tile = { value = 4,", "cores_per_tile = { value = 58,")
    assert parse_target(large, "t.toml").board.cores_per_tile.value == 58


def test_a_missing_field_is_named(text):
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("max_delay"))
    with pytest.raises(NmcError) as error:
        parse_target(kept, "t.toml")
    assert str(error.value) == "t.toml: formats.max_delay: Field required."


def test_text_that_is_not_toml_is_refused_with_its_line():
    with pytest.raises(NmcError) as error:
        parse_target("name = 'x'\ncores 128\n", "t.toml")
    assert str(error.value).startswith("t.toml: is not TOML (")
    assert "line 2" in str(error.value)


def test_an_unknown_target_lists_the_known_and_the_nearest():
    with pytest.raises(NmcError) as error:
        load_target("loihi3")
    assert str(error.value) == (
        "target: 'loihi3' is not known. Did you mean 'loihi2'? Known: akd1000, loihi1, loihi1_sanafe, "
        "loihi2, speck2f, spinnaker1, spinnaker1_4chips, spinnaker2, truenorth, xylo_a2, xylo_a3, xylo_imu."
    )


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(NmcError, match="No such file"):
        read_target(tmp_path / "none.toml")
    (tmp_path / "t.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NmcError, match="is not a text file in UTF-8"):
        read_target(tmp_path / "t.toml")
