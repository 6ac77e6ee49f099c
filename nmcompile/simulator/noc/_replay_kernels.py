"""Replay packets on a mesh of routers, cycle by cycle: links, credits, sources."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.simulator.noc._router_kernels import begin, step

LINKS = 4  # ports of a router that lead to others: +x, -x, +y, -y; its cores follow


@kernel
def advance(fabric, packets, state, router_cycles):
    """Go on until all packets have arrived, or routers have worked `router_cycles` more cycles.

    A cycle: what links and credits deliver, then the sources, then the routers that hold packets.
    Whatever one of these sends is delivered in a later cycle, so that their order does not matter.
    """
    clock, n_packets = state.clock, len(packets.source)
    stop = clock.router_cycles[0] + router_cycles
    while clock.arrived[0] < n_packets and clock.router_cycles[0] < stop:
        now = clock.now[0]
        slot = now % len(state.flit_first)
        deliver_flits(fabric, packets, state, now, slot)
        deliver_credits(fabric, packets, state, slot)
        create(packets, state, now)
        inject(fabric, packets, state, now)
        work(fabric, packets, state, now)
        clock.now[0] = next_cycle(packets, state, now)


@kernel
def next_cycle(packets, state, now):
    """The next cycle in which anything happens."""
    clock = state.clock
    if clock.active[0] or clock.ready[0]:
        return now + 1
    soonest = np.iinfo(np.int64).max
    if clock.created[0] < len(packets.source):
        soonest = packets.created[packets.order[clock.created[0]]]
    n_slots = len(state.flit_first)
    for ahead in range(1, n_slots):
        if now + ahead >= soonest:
            break
        slot = (now + ahead) % n_slots
        if state.flit_first[slot] >= 0 or state.credit_first[slot] >= 0:
            return now + ahead
    return soonest


@kernel
def deliver_flits(fabric, packets, state, now, slot):
    """Put arriving packets into buffers, take those that reach a core, return credits of cores.

    Where a packet is going, `flit_to`, is an input; or an output, counted on behind the inputs,
    whose core it reaches; or, behind these, an output to which the credit for its place goes.
    """
    n_ports = len(fabric.far)
    packet = state.flit_first[slot]
    state.flit_first[slot] = -1
    while packet >= 0:
        following = state.flit_next[packet]
        to = state.flit_to[packet]
        if to < n_ports:
            store(fabric, packets, state, packet, to, now)
        elif to < 2 * n_ports:
            packets.arrived[packet] = now
            state.clock.arrived[0] += 1
            state.flit_to[packet] = to + n_ports
            send(state, packet, now + 1 + fabric.latency[to - n_ports] + fabric.credit_delay)
        else:
            state.credits[to - 2 * n_ports] += 1
        packet = following


@kernel
def store(fabric, packets, state, packet, entry, now):
    """Put `packet` into the buffer of input `entry`."""
    router, held = entry // fabric.ports, state.held[entry]
    place = entry * fabric.depth + (state.head[entry] + held) % fabric.depth
    state.buffer[place] = packet
    state.held[entry] = held + 1
    state.fullest[entry] = max(state.fullest[entry], held + 1)
    packets.routers[packet] += 1
    if held == 0:
        begin(fabric, packets, state, entry, now)
    if state.resident[router] == 0:
        state.active[state.clock.active[0]] = router
        state.clock.active[0] += 1
    state.resident[router] += 1


@kernel
def deliver_credits(fabric, packets, state, slot):
    """Give the places that were freed in buffers back to those that send into them."""
    place = state.credit_first[slot]
    state.credit_first[slot] = -1
    while place >= 0:
        entry = place // fabric.depth
        port = entry % fabric.ports
        if port < LINKS:
            state.credits[fabric.far[entry]] += 1
        else:
            node = (entry // fabric.ports) * (fabric.ports - LINKS) + port - LINKS
            state.node_credits[node] += 1
            if state.node_credits[node] == 1 and state.waiting[node] > 0:
                state.ready[state.clock.ready[0]] = node
                state.clock.ready[0] += 1
        place = state.credit_next[place]


@kernel
def create(packets, state, now):
    """Queue the packets that are created in this cycle at their sources."""
    clock = state.clock
    while clock.created[0] < len(packets.source):
        packet = packets.order[clock.created[0]]
        if packets.created[packet] > now:
            break
        node = packets.source[packet]
        if state.waiting[node] == 0 and state.node_credits[node] > 0:
            state.ready[clock.ready[0]] = node
            clock.ready[0] += 1
        state.waiting[node] += 1
        clock.created[0] += 1


@kernel
def inject(fabric, packets, state, now):
    """Send one packet from each source that has one and room for it; keep those that go on."""
    clock, kept = state.clock, 0
    for index in range(clock.ready[0]):
        node = state.ready[index]
        packet = packets.queue[state.first[node]]
        state.first[node] += 1
        state.waiting[node] -= 1
        state.node_credits[node] -= 1
        packets.injected[packet] = now
        cores = fabric.ports - LINKS
        entry = (node // cores) * fabric.ports + LINKS + node % cores
        state.flit_to[packet] = entry
        send(state, packet, now + 1 + fabric.latency[entry])
        if state.waiting[node] > 0 and state.node_credits[node] > 0:
            state.ready[kept] = node
            kept += 1
    clock.ready[0] = kept


@kernel
def work(fabric, packets, state, now):
    """One cycle of the routers that hold packets; keep those that still do."""
    clock, kept = state.clock, 0
    clock.router_cycles[0] += clock.active[0]
    for index in range(clock.active[0]):
        router = state.active[index]
        step(fabric, state, router, now)
        for port in range(fabric.ports):
            entry = router * fabric.ports + port
            if state.sent[port]:
                leave(fabric, packets, state, entry, now)
        if state.resident[router] > 0:
            state.active[kept] = router
            kept += 1
    clock.active[0] = kept


@kernel
def leave(fabric, packets, state, entry, now):
    """Send the first packet of input `entry` over the switch, and the credit for its place back."""
    n_ports = len(fabric.far)
    place = entry * fabric.depth + state.head[entry]
    packet, output = state.buffer[place], state.wanted[entry]
    state.head[entry] = (state.head[entry] + 1) % fabric.depth
    state.held[entry] -= 1
    state.resident[entry // fabric.ports] -= 1
    state.credits[output] -= 1
    state.owner[output] = -1
    state.owns[entry] = False
    state.free_at[output] = now + fabric.interval[output]
    through = output % fabric.ports < LINKS
    state.flit_to[packet] = fabric.far[output] if through else n_ports + output
    send(state, packet, now + fabric.traversal_delay + 1 + fabric.latency[output])
    back = now + 1 + fabric.latency[entry]
    if entry % fabric.ports < LINKS:
        back += fabric.credit_delay
    slot = back % len(state.credit_first)
    state.credit_next[place] = state.credit_first[slot]
    state.credit_first[slot] = place
    if state.held[entry] > 0:
        begin(fabric, packets, state, entry, now + 1)


@kernel
def send(state, packet, due):
    """Have `packet` delivered in cycle `due`."""
    slot = due % len(state.flit_first)
    state.flit_next[packet] = state.flit_first[slot]
    state.flit_first[slot] = packet
