"""torch's linear layers as linear maps."""

from __future__ import annotations

from torch import nn

from nmcompile.errors import UnsupportedLayerError
from nmcompile.ir.maps import Conv


def conv_map(layer: nn.Conv2d, in_shape: tuple[int, ...]) -> Conv:
    """The kernel of `layer`, without its bias, over an input of `in_shape` (c, height, width)."""
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise UnsupportedLayerError(
            "Conv2d", f"padding {layer.padding} in mode {layer.padding_mode} cannot be "
            "compiled here", "Use zero padding of a given width.")
    (stride, padding, dilation) = (
        (int(pair[0]), int(pair[1])) for pair in (layer.stride, layer.padding, layer.dilation)
    )
    return Conv(weight=layer.weight.detach().numpy(), in_shape=in_shape, stride=stride,
                padding=padding, dilation=dilation, groups=layer.groups)
