"""The register files hold everything that is needed to run the program, and nothing is missing."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pytest
from helpers import register_machine
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    parted,
    payloads,
    port,
    program,
    projection,
    relayed,
    telling,
    weights,
)
from helpers.random_loihi import random_network
from helpers.random_microcode import adapting, resonating
from nmcompile_backends.loihi.register_axons import by_core
from nmcompile_backends.loihi.registers import write_registers

from nmcompile.ir import Network, Population, run
from nmcompile.ir.maps import Conv

STEPS = 14


def same_as_reference(net: Network, folder: Path, target: str, cut: int, seed: int) -> int:
    """Spikes seen, after comparing the register machine with the reference, bit for bit."""
    write_registers(program(net, target, cut, seed), folder)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    wanted = run(net, sent).records
    found = register_machine.run(folder, {name: x[0] for name, x in sent.items()}, STEPS)
    for name, record in wanted.items():
        for variable in ("spikes", "v"):
            np.testing.assert_array_equal(found[name][variable], record[variable][0])
    return sum(int(record["spikes"].sum()) for record in wanted.values())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_the_registers_alone_give_the_spikes_and_membranes_of_the_network(
    tmp_path: Path, target: str, seed: int
) -> None:
    net = random_network(seed)
    assert same_as_reference(net, tmp_path, target, cut=2, seed=seed) > 0
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads((tmp_path / "registers.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("seed", range(4))
def test_axons_from_a_part_of_a_source_find_their_rows(tmp_path: Path, seed: int) -> None:
    assert same_as_reference(parted(seed), tmp_path, "loihi2", cut=2, seed=seed) != 0


@pytest.mark.parametrize("seed", range(4))
def test_relays_have_no_registers_and_send_their_sums(tmp_path: Path, seed: int) -> None:
    same_as_reference(relayed(seed), tmp_path, "loihi2", cut=2, seed=seed)
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    document = json.loads((tmp_path / "registers.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    groups = [g for chip in document["boards"][0]["chips"] for core in chip["cores"]
              for g in core["compartment_groups"] if g["population"] in ("sum", "again")]
    assert {g["model"] for g in groups} == {"relay"}
    assert not any("threshold" in g for g in groups)


@pytest.mark.parametrize("seed", range(4))
def test_sigma_delta_neurons_run_from_their_registers_alike(tmp_path: Path, seed: int) -> None:
    same_as_reference(telling(seed), tmp_path, "loihi2", cut=2, seed=seed)
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    document = json.loads((tmp_path / "registers.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    groups = [g for chip in document["boards"][0]["chips"] for core in chip["cores"]
              for g in core["compartment_groups"]]
    del groups[0]["offset"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("seed", range(6))
def test_resonators_run_from_their_registers_alike(tmp_path: Path, seed: int) -> None:
    same_as_reference(resonating(seed), tmp_path, "loihi2", cut=2, seed=seed)
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    document = json.loads((tmp_path / "registers.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    cores = [core for chip in document["boards"][0]["chips"] for core in chip["cores"]]
    assert {g["model"] for core in cores for g in core["compartment_groups"]} == {"resonator"}
    assert {g["current"] for core in cores for g in core["synapse_groups"]} == {0, 1}


@pytest.mark.parametrize("seed", range(8))
def test_adaptive_neurons_run_from_their_registers_alike(tmp_path: Path, seed: int) -> None:
    assert same_as_reference(adapting(seed), tmp_path, "loihi2", cut=2, seed=seed) > 0
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    document = json.loads((tmp_path / "registers.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    cores = [core for chip in document["boards"][0]["chips"] for core in chip["cores"]]
    groups = [group for core in cores for group in core["compartment_groups"]]
    assert {group["model"] for group in groups} == {"adaptive"}
    del groups[0]["threshold_step"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(document)


def one_layer() -> Network:
    rng = np.random.default_rng(0)
    layer = Population(name="fc", shape=(10,), neuron=neuron(), bias=np.zeros((), np.int32))
    return network((port((6,)),), (layer,),
                   (projection("in", "fc", dense(weights(rng, (10, 6))), delay=3),))


def test_a_dense_layer_has_one_row_of_weights_for_each_source(tmp_path: Path) -> None:
    net = one_layer()
    write_registers(program(net, cut=2, rng_seed=1), tmp_path)
    document = json.loads((tmp_path / "registers.json").read_text())
    with h5py.File(tmp_path / "registers.h5") as arrays:
        cores = [c for chip in document["boards"][0]["chips"] for c in chip["cores"]]
        stored = [arrays[g["weights"]["array"]][()].reshape(6, -1)
                  for core in cores for g in core["synapse_groups"]]
        assert set(arrays["/inputs/0/output_axons/delay"][()]) == {3}
    groups = [g for core in cores for g in core["compartment_groups"]]
    low = [group["low"][2] for group in groups]
    whole = np.concatenate([stored[i] for i in np.argsort(low)], axis=1)
    np.testing.assert_array_equal(whole, net.projections[0].map.weight.T)


def test_a_shared_kernel_is_stored_once_on_a_core_and_written_out_where_there_is_none(
    tmp_path: Path
) -> None:
    kernel = np.ones((2, 1, 3, 3), np.int16)
    layer = Population(name="c", shape=(2, 6, 6), neuron=neuron(), bias=np.zeros((), np.int32))
    conv = Conv(weight=kernel, in_shape=(1, 8, 8))
    net = network((port((1, 8, 8)),), (layer,), (projection("in", "c", conv),))
    sizes = {}
    for target in ("loihi1", "loihi2"):
        folder = tmp_path / target
        folder.mkdir()
        write_registers(program(net, target), folder)
        with h5py.File(folder / "registers.h5") as arrays:
            sizes[target] = arrays["/cores/0/synapses/0/weights"].size
    assert sizes == {"loihi1": 2 * 36 * 9, "loihi2": 18}


def test_a_document_with_a_field_that_the_schema_does_not_know_is_refused(tmp_path: Path) -> None:
    write_registers(program(one_layer()), tmp_path)
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    document = json.loads((tmp_path / "registers.json").read_text())
    document["boards"][0]["chips"][0]["cores"][0]["voltage"] = 1
    with pytest.raises(jsonschema.ValidationError, match="voltage"):
        jsonschema.validate(document, schema)


def test_the_schema_knows_all_fields_of_every_object_and_describes_them(tmp_path: Path) -> None:
    write_registers(program(one_layer()), tmp_path)
    schema = json.loads((tmp_path / "registers.schema.json").read_text())
    objects = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    objects += [part for each in objects for part in each["properties"].values()
                if "properties" in part]
    assert len(objects) > 12
    for each in objects:
        assert each["additionalProperties"] is False
        assert set(each["required"]) <= set(each["properties"])
        for name, field in each["properties"].items():
            whole = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {}) | field
            assert len(whole.get("description", "")) > 5, name


def test_entries_are_found_by_core_and_none_where_there_are_none() -> None:
    found = by_core(np.array([3, 1, 3], np.int32))
    assert {core: rows.tolist() for core, rows in found.items()} == {1: [1], 3: [0, 2]}
    assert by_core(np.zeros(0, np.int32)) == {}
