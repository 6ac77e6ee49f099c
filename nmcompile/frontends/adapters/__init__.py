"""The libraries whose neurons the tracer knows: one Adapter each, ours and those plugged in."""

from functools import cache

from nmcompile.errors import PluginError
from nmcompile.frontends.adapters.interface import Adapter, Described
from nmcompile.frontends.adapters.lava_dl import LAVA_DL
from nmcompile.frontends.adapters.norse import NORSE
from nmcompile.frontends.adapters.rockpool import ROCKPOOL
from nmcompile.frontends.adapters.sinabs import SINABS
from nmcompile.frontends.adapters.snntorch import SNNTORCH
from nmcompile.frontends.adapters.spikingjelly import SPIKINGJELLY
from nmcompile.frontends.adapters.spikingjelly_parallel import SPIKINGJELLY_PARALLEL
from nmcompile.plugins import plugins

ADAPTERS: tuple[Adapter, ...] = (
    SNNTORCH, SPIKINGJELLY, SPIKINGJELLY_PARALLEL, NORSE, SINABS, ROCKPOOL, LAVA_DL)


@cache
def adapters() -> tuple[Adapter, ...]:
    """Our adapters, then those of other distributions (`nmcompile.adapters`), sorted by name.

    Raises NmcError for one that does not load, or is no Adapter.
    """
    found = plugins("adapter")
    for name, adapter in found.items():
        if not isinstance(adapter, Adapter):
            raise PluginError(f"adapter {name}", f"is a {type(adapter).__name__}, expected an "
                              "Adapter", "Uninstall it, or see docs/plugins/adapter.md.")
    return (*ADAPTERS, *found.values())


__all__ = ["ADAPTERS", "Adapter", "Described", "adapters"]
