"""Random networks and targets for tests."""

import json

import numpy as np

from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.maps import Chain, Conv, Dense, Scale, from_matrix, pool
from nmcompile.ir.neurons import LIF, CubaLIF, Reset, ResetAt
from nmcompile.target import Target, load_target


def scalar(value):
    return np.float32(value).reshape(())


def dense(rng, n_in, n_out, gain=1.0):
    weight = rng.normal(0, gain / np.sqrt(n_in), (n_out, n_in)).astype(np.float32)
    return Dense(weight=weight, in_shape=(n_in,), out_shape=(n_out,))


def conv(rng, in_shape, c_out, kernel=(3, 3), gain=1.0, **options):
    groups = options.get("groups", 1)
    fan_in = in_shape[0] // groups * kernel[0] * kernel[1]
    weight = rng.normal(0, gain / np.sqrt(fan_in), (c_out, in_shape[0] // groups, *kernel))
    return Conv(weight=weight.astype(np.float32), in_shape=in_shape, **options)


def sparse(rng, n_in, n_out, density=0.2):
    import scipy.sparse

    values = rng.normal(0, 1, (n_in, n_out)) * (rng.random((n_in, n_out)) < density)
    return from_matrix(scipy.sparse.csr_array(values.astype(np.float32)), (n_in,), (n_out,))


def conv_network(seed=0):
    """Conv with normalisation, pooling, a recurrent dense layer, a skip, a sparse readout."""
    rng = np.random.default_rng(seed)
    first = conv(rng, (2, 8, 7), 6, padding=(1, 1), gain=2.0)
    norm = Scale(
        factor=rng.uniform(0.5, 1.5, (6, 1, 1)).astype(np.float32), in_shape=first.out_shape
    )
    pooled = pool((6, 8, 7), (2, 2), (2, 2), (0, 0), True)
    n_pooled = int(np.prod(pooled.out_shape))
    subtract = LIF(
        decay=scalar(0.9), threshold=scalar(1), reset=Reset.SUBTRACT, reset_at=ResetAt.INPUT
    )
    cuba = CubaLIF(
        current_decay=scalar(0.7),
        decay=rng.uniform(0.6, 0.95, 20).astype(np.float32),
        threshold=rng.uniform(0.5, 1.5, 20).astype(np.float32),
        reset_at=ResetAt.INPUT,
    )
    bias = rng.normal(0, 0.1, (6, 1, 1)).astype(np.float32)
    return verify(
        Network(
            inputs=(Input(name="input", shape=(2, 8, 7)),),
            populations=(
                Population(name="conv", shape=(6, 8, 7), neuron=subtract, bias=bias),
                Population(name="rec", shape=(20,), neuron=cuba, bias=scalar(0.05)),
                Population(
                    name="out", shape=(5,), neuron=LIF(decay=scalar(0.95), threshold=scalar(1))
                ),
            ),
            projections=(
                Projection(source="input", target="conv", map=Chain(maps=(first, norm))),
                Projection(
                    source="conv",
                    target="rec",
                    map=Chain(maps=(pooled, dense(rng, n_pooled, 20, 4.0))),
                ),
                Projection(source="rec", target="rec", delay=1, map=dense(rng, 20, 20, 0.5)),
                Projection(source="rec", target="out", map=sparse(rng, 20, 5, 0.6)),
                Projection(source="conv", target="out", delay=2, map=sparse(rng, 336, 5, 0.02)),
            ),
            outputs=(Output(name="output", population="out"),),
        )
    )


def spikes(network, samples=6, steps=30, rate=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        port.name: (rng.random((samples, steps, *port.shape)) < rate).astype(np.float32)
        for port in network.inputs
    }


def small_target(**core):
    """Loihi 2 with cores that hold as little as `core` says."""
    target = load_target("loihi2")
    changed = {
        name: getattr(target.core, name).model_copy(update={"value": value})
        for name, value in core.items()
    }
    return target.model_copy(update={"core": target.core.model_copy(update=changed)})


def every_step(network):
    """Rates of a mapping whose every input and neuron fires in each step."""
    return np.ones(sum(node.size for node in network.nodes), np.float32)


def board(chips, width, height, **core):
    """Loihi 2 as `chips` chips of width x height tiles, with cores as small as `core` says."""
    target = small_target(**core)
    values = {"chips": chips, "mesh_width": width, "mesh_height": height}
    changed = {k: getattr(target.board, k).model_copy(update={"value": v}) for k, v in values.items()}
    return target.model_copy(update={"board": target.board.model_copy(update=changed)})


def machine(width, height, *, cores=4, missing=(), links="triangular", wrap=False, entries=1023,
            **core):
    """Loihi 2's cores on chips with routers that match keys, as small as `core` says."""
    target = small_target(**core)
    chips = width * height - len(missing)
    board = {"chips": chips, "mesh_width": 1, "mesh_height": 1, "cores_per_tile": cores}
    router = {"width": width, "height": height, "missing": list(missing), "links": links,
              "wrap": wrap, "missing_links": [], "entries": entries, "key_bits": 32,
              "spare_bits": 2}
    text = target.model_dump(mode="json")
    for name, value in board.items():
        text["board"][name]["value"] = value
    text["network"] = None
    text["router"] = {name: {"value": value, "unit": "test", "kind": "estimate",
                             "source": "of a test"} for name, value in router.items()}
    return Target.model_validate_json(json.dumps(text))
