"""The plain model of a Speck's queues: one event after the other, in lists."""

from __future__ import annotations

from nmcompile.mapping import Program


def plain_ends(program: Program, bins: list[dict[str, list[int]]]) -> list[float]:
    """The end of the last event after each step of one sample.

    bins  for each step, what every line and neuron sends: name -> payloads
    """
    network, pipeline = program.network, program.target.event_pipeline
    dt, end = network.dt or 0.0, 0.0
    free = {p.name: 0.0 for p in network.populations}
    core = {network.populations[i].name: int(program.mapping.slices.core[k])
            for k, i in enumerate(program.mapping.slices.population.tolist())}
    axons = dict(zip((p.target for p in network.projections), program.mapping.axons, strict=True))
    behind: list[dict[str, dict[int, float]]] = []
    ends = []
    for step, sent in enumerate(bins):
        there: dict[str, dict[int, float]] = {}
        lines = [(port.name, i) for port in network.inputs for i in range(port.size)]
        count = sum(sent[name][i] for name, i in lines)
        number = 0
        for name, i in lines:
            if sent[name][i]:
                there.setdefault(name, {})[i] = (
                    (step + number / count) * dt + pipeline.chip.value)
                number += sent[name][i]
                end = max(end, there[name][i])
        for population in network.populations:
            name = population.name
            (projection,) = network.incoming(name)
            seconds = pipeline.operation.value[core[name]]
            moments = []  # of each operation of this step
            if projection.delay <= len(behind):
                arrived = behind[-projection.delay].get(projection.source, {})
                for line, at in arrived.items():
                    axon = axons[name]
                    reach = int(axon.synapses[axon.start[line] : axon.start[line + 1]].sum())
                    free[name] = max(free[name], at)
                    for _ in range(reach * bins[step - projection.delay][projection.source][line]):
                        moments.append(free[name])
                        free[name] += seconds
            total, n = len(moments), sum(sent[name])
            end, number = max(end, free[name]), 0
            for neuron, payload in enumerate(sent[name]):
                if payload:
                    number += payload
                    leaves = moments[-(-number * total // n) - 1] if total else free[name]
                    there.setdefault(name, {})[neuron] = leaves + pipeline.core.value
                    end = max(end, leaves + pipeline.core.value)
        behind.append(there)
        ends.append(end)
    return ends
