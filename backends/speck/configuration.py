"""Speck's configuration as the dictionary of samna's fields that sinabs 3.1.3 fills.

The fields are those of backend/dynapcnn/chips/dynapcnn.py (`get_dynapcnn_layer_config_dict`,
`write_dynapcnn_layer_config`, `build_config`). samna turns such fields into the chip's bits; that
layout is not public.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from nmcompile_backends.speck.cores import N_CORES, Destination, SpeckCore, SpeckNetwork

Fields = dict[str, Any]


def configuration(
    network: SpeckNetwork, places: tuple[int, ...], monitored: tuple[int, ...]
) -> Fields:
    """All nine cores, the sensor, which is switched off, and the cores that the host sends to.

    places     the chip's core for each core of `network`
    monitored  cores of `network` whose events the host sees

    `input_cores` is no field of samna's: it is the `layer` of the events of the input.
    """
    layers: list[Fields] = [{"destinations": _destinations(()), "monitor_enable": False}
                            for _ in range(N_CORES)]
    for index, core in enumerate(network.cores):
        ways = tuple(Destination(places[d.core], d.pooling) for d in core.destinations)
        layers[places[index]] = {
            **_layer(core), "destinations": _destinations(ways),
            "monitor_enable": index in monitored,
        }
    return {
        "cnn_layers": layers,
        "dvs_layer": {"pass_sensor_events": False},
        "input_cores": [places[d.core] for d in network.inputs],
    }


def _layer(core: SpeckCore) -> Fields:
    """One core's own fields; x comes before y in weights and states, as samna has it."""
    states = np.broadcast_to(core.initial, core.out_shape)
    leak = np.zeros(core.out_shape[0], int) if core.leak is None else core.leak
    fields: Fields = {
        "dimensions": {
            "input_shape": _extent(core.in_shape),
            "output_shape": _extent(core.out_shape),
            "padding": {"x": core.padding[1], "y": core.padding[0]},
            "stride": {"x": core.stride[1], "y": core.stride[0]},
            "kernel_size": core.weight.shape[2],
        },
        "weights": core.weight.transpose(0, 1, 3, 2).tolist(),
        "biases": leak.tolist(),
        "leak_enable": bool(leak.any()),
        "return_to_zero": core.return_to_zero,
        "threshold_high": core.threshold_high,
        "threshold_low": core.threshold_low,
        "neurons_initial_value": states.transpose(0, 2, 1).tolist(),
    }
    if core.decimator is not None:
        fields |= {"output_decimator_enable": True, "output_decimator_interval": core.decimator}
    return fields


def _extent(shape: tuple[int, int, int]) -> Fields:
    return {"size": {"x": shape[2], "y": shape[1]}, "feature_count": shape[0]}


def _destinations(ways: tuple[Destination, ...]) -> list[Fields]:
    """Both destinations; one that is not used keeps samna's default of core 0, disabled."""
    used = [{"layer": way.core, "enable": True, "pooling": way.pooling} for way in ways]
    return used + [{"layer": 0, "enable": False, "pooling": 1}] * (2 - len(used))
