"""A pass that notes the number of layers, and a frontend that reads one weight from a text file."""

from dataclasses import replace

import numpy as np

from nmcompile.frontends.interface import Frontend, Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF

MAGIC = b"TOY "


def count_layers(network):
    """`network` with a note."""
    return replace(network, notes=(*network.notes, f"{len(network.populations)} layers"))


def load(request):
    """One neuron with the weight that the file names."""
    weight = np.array([[float(request.path.read_text().split()[1])]], np.float32)
    network = Network(
        inputs=(Input(name="input", shape=(1,)),),
        populations=(
            Population(
                name="n",
                shape=(1,),
                neuron=LIF(decay=np.float32(0.5).reshape(()), threshold=np.float32(1).reshape(())),
            ),
        ),
        projections=(
            Projection(
                source="input", target="n", map=Dense(weight=weight, in_shape=(1,), out_shape=(1,))
            ),
        ),
        outputs=(Output(name="output", population="n"),),
    )
    inputs = {"input": np.ones((2, 5, 1), np.float32)}
    return Traced(
        network=network,
        inputs=inputs,
        expected=run(network, inputs).records,
        verified_by="the toy itself",
    )


FRONTEND = Frontend(
    name="toy",
    claims=lambda path: path.read_bytes()[:4] == MAGIC,
    accepts=lambda model: False,
    load=load,
)
