"""A stand-in for samna, which is not on the package index, so that sinabs' backend can be imported.

It offers the names that are looked up on import and configuration objects that keep what sinabs
writes into them. Nothing that sinabs computes passes through it.
"""

import sys
from types import ModuleType, SimpleNamespace


class _Anything(ModuleType):
    """A module with every name."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name) if name.islower() else type(name, (), {})


def install():
    """Put the stand-in where `import samna` finds it."""
    if "samna" in sys.modules:
        return
    names = ["samna", "samnagui", "samna.specksim", "samna.specksim.nodes", "samna.specksim.events",
             *(f"samna.{chip}{part}" for chip in ("speck2e", "speck2f")
               for part in ("", ".configuration", ".event"))]
    for name in names:
        sys.modules[name] = _Anything(name)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    for chip in ("speck2e", "speck2f"):
        sys.modules[f"samna.{chip}.configuration"].SpeckConfiguration = configuration
        sys.modules[f"samna.{chip}"].validate_configuration = lambda config: (True, "")


def configuration():
    """What samna's SpeckConfiguration holds before sinabs fills it."""
    return SimpleNamespace(
        cnn_layers=[_layer() for _ in range(9)],
        dvs_layer=SimpleNamespace(pass_sensor_events=True, destinations=_destinations()))


def _layer():
    return SimpleNamespace(destinations=_destinations(), monitor_enable=False)


def _destinations():
    return [SimpleNamespace(layer=0, enable=False, pooling=1) for _ in range(2)]
