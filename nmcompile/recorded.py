"""What an integer network sends on its sample, for the passes that cut it."""

from __future__ import annotations

from nmcompile.ir import Network, run_aligned
from nmcompile.ir.neurons.base import Array
from nmcompile.mapper import Recorded, record_of
from nmcompile.passes.quantize import payloads
from nmcompile.registry import backend
from nmcompile.stages import Data, IntegerStage
from nmcompile.target import Target


def sent_to(network: Network, sample: Data) -> dict[str, Array]:
    """(samples, steps, *shape) payloads of each input in `sample`."""
    return {port.name: payloads(port, sample.inputs[port.name]) for port in network.inputs}


def recorded(stage: IntegerStage, target: Target, search: bool) -> Recorded:
    """What is sent in the steps of the sample, as far as cutting the network asks for it."""
    network, hurried = stage.network, backend(target.family).tick_work(target) is not None
    if not search and not hurried:
        return Recorded()
    sent = sent_to(network, stage.sample)
    trace = run_aligned(network, stage.latency, sent)
    sent |= {name: record["spikes"] for name, record in trace.records.items()}
    return record_of(network, sent, search, hurried)
