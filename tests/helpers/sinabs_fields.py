"""What sinabs' DYNAP-CNN backend writes for cores of ours; `samna_stand_in.install` comes first."""

import numpy as np
import torch
from torch import nn


def plain(value):
    """Namespaces, tensors and pairs of sinabs' configuration as the values that JSON has."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    return value if fields is None else {k: plain(v) for k, v in fields.items()}


def in_sinabs(core):
    """A core as sinabs' layer of the same integers."""
    from sinabs import activation
    from sinabs.backend.dynapcnn import DynapcnnLayer
    from sinabs.layers import IAFSqueeze

    features, channels, kernel, _ = core.weight.shape
    conv = nn.Conv2d(channels, features, kernel, stride=core.stride, padding=core.padding,
                     bias=core.leak is not None)
    conv.weight.data = torch.tensor(core.weight, dtype=torch.float32)
    if core.leak is not None:
        conv.bias.data = torch.tensor(core.leak, dtype=torch.float32)
    reset = activation.MembraneReset() if core.return_to_zero else activation.MembraneSubtract()
    spk = IAFSqueeze(batch_size=1, spike_threshold=float(core.threshold_high), reset_fn=reset,
                        min_v_mem=float(core.threshold_low))
    if core.initial.any():
        spk.init_state_with_shape((1, *core.out_shape))
        spk.v_mem.data[0] = torch.tensor(np.broadcast_to(core.initial, core.out_shape).copy())
    pools = [(d.pooling, d.pooling) for d in core.destinations] or [(1, 1)]
    return DynapcnnLayer(conv, spk, core.in_shape, pools, discretize=False)


def by_sinabs(network, places, monitored):
    """What sinabs writes for the same cores on the same places."""
    from sinabs.backend.dynapcnn.chip_factory import ChipFactory

    builder = ChipFactory("speck2fdevkit").get_config_builder()
    layers = {i: in_sinabs(core) for i, core in enumerate(network.cores)}
    config = builder.build_config(layers, dict(enumerate(places)), {
        i: [d.core for d in core.destinations] for i, core in enumerate(network.cores)})
    builder.monitor_layers(config, [places[i] for i in monitored])
    return plain(config)
