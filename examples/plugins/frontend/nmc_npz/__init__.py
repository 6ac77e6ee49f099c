"""Fully connected networks as NumPy files: weight0, decay0, threshold0, weight1, and so on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from nmcompile.errors import DamagedFileError, ParameterError, reading
from nmcompile.frontends.interface import Frontend, Request, Traced
from nmcompile.frontends.port_sample import port_sample
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF
from nmcompile.ir.neurons.base import Array

PARAMETERS = ("weight", "decay", "threshold")


def claims(path: Path) -> bool:
    """Whether the file at `path` is a NumPy archive that holds a first layer."""
    try:
        with ZipFile(path) as archive:
            return {f"{name}0.npy" for name in PARAMETERS} <= set(archive.namelist())
    except BadZipFile:
        return False


def load(request: Request) -> Traced:
    """The network of a file, and the user's sample or random spikes as its input."""
    assert request.path is not None
    with reading(str(request.path)), np.load(request.path, allow_pickle=False) as file:
        arrays = {name: np.asarray(file[name], np.float32) for name in file.files}
    network = verify(network_of(arrays))
    inputs, notes = port_sample(request, network.inputs)
    return Traced(network=replace(network, notes=notes), inputs=inputs, expected={})


def network_of(arrays: dict[str, Array]) -> Network:
    """A chain of the layers in `arrays`; raises NmcError where one is not whole.

    weight     (neurons, inputs)
    decay      of the membranes in a step, for each neuron or one for all
    threshold  in the unit of the weights, for each neuron or one for all
    """
    names = [f"layer{i}" for i in range(sum(name.startswith("weight") for name in arrays))]
    populations, projections, source = [], [], "input"
    for i, name in enumerate(names):
        missing = [f"{p}{i}" for p in PARAMETERS if f"{p}{i}" not in arrays]
        if missing:
            raise DamagedFileError(
                name, f"has no {', '.join(missing)}", "Save all three of each layer.")
        weight, decay, threshold = (arrays[f"{p}{i}"] for p in PARAMETERS)
        if weight.ndim != 2:
            raise ParameterError(
                name, f"weight{i} has shape {weight.shape}, expected (neurons, inputs)")
        neurons, inputs = weight.shape
        populations.append(Population(name=name, shape=(neurons,),
                                      neuron=LIF(decay=decay, threshold=threshold)))
        projections.append(Projection(source=source, target=name, map=Dense(
            weight=weight, in_shape=(inputs,), out_shape=(neurons,))))
        source = name
    return Network(inputs=(Input(name="input", shape=arrays["weight0"].shape[1:]),),
                   populations=tuple(populations), projections=tuple(projections),
                   outputs=(Output(name="output", population=names[-1]),))


FRONTEND = Frontend(name="layers-npz", claims=claims, accepts=lambda model: False, load=load)
