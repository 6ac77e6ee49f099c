"""Keys and tables of a placed network."""

from __future__ import annotations

from nmcompile.ir import Network
from nmcompile.mapping import Mapping
from nmcompile.mapping.multicast.program import sent_in
from nmcompile.mapping.multicast.routing import Routing
from nmcompile.passes.route.multicast.compress import compress
from nmcompile.passes.route.multicast.keys import keys
from nmcompile.passes.route.multicast.tables import arrivals
from nmcompile.passes.route.multicast.trees import trees
from nmcompile.target import Target


def routing(network: Network, mapping: Mapping, target: Target) -> Routing:
    """What the routers of `target` are loaded with for the placed slices of `mapping`.

    Raises NmcError where no living links lead to a chip, or keys do not hold all neurons, and
    CapacityError where a table is too long.
    """
    router = target.router
    assert router is not None
    sent = sent_in(network, mapping, target)
    grown = trees(sent.machine, sent.demand)
    blocks = keys(sent.demand, grown, router.spare_bits.value, router.key_bits.value)
    made = compress(sent.machine, arrivals(sent.machine, grown, blocks))
    return Routing(keys=blocks, tables=made)
