"""Replay packets on a mesh of routers, cycle by cycle: links, credits, sources."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.simulator.noc._fields import (
    ACTIVE,
    ARRIVED,
    COUNTING,
    CREATED,
    CREDIT,
    DEPTH,
    FAR,
    FIRST,
    FLIT,
    FREE,
    FULLEST,
    HEAD,
    HELD,
    HOLDS,
    INJECTED,
    INTERVAL,
    LATENCY,
    LINKS,
    N_ACTIVE,
    N_ARRIVED,
    N_CREATED,
    N_SENDING,
    NEVER,
    NEXT_CREDIT,
    NEXT_FLIT,
    NONE,
    NOW,
    ORDER,
    OWNER,
    OWNS,
    PORTS,
    QUEUE,
    RESIDENT,
    ROOM,
    ROUTERS,
    SENDING,
    SOURCE,
    SPACE,
    TOWARDS,
    TRAVERSAL,
    WAITING,
    WANTED,
    WORKED,
)
from nmcompile.simulator.noc._router_kernels import allocate, begin


@kernel
def advance(setup, port, place, packet, node, router, slot, clock, router_cycles):
    """Go on until all packets have arrived, or routers have worked `router_cycles` more cycles.

    A cycle: what links and credits deliver, then the sources, then the routers that hold packets.
    Whatever one of these sends is delivered in a later cycle, so that their order does not matter.
    """
    asked = np.zeros(setup[PORTS], np.int64)
    stop = clock[WORKED] + router_cycles
    while clock[N_ARRIVED] < len(packet) and clock[WORKED] < stop:
        now = clock[NOW]
        deliver_flits(setup, port, place, packet, router, slot, clock, now)
        deliver_credits(setup, port, place, node, slot, clock, now)
        create(packet, node, clock, now)
        inject(setup, port, packet, node, slot, clock, now)
        work(setup, port, place, packet, router, slot, clock, asked, now)
        clock[NOW] = next_cycle(packet, slot, clock, now)
        if clock[NOW] == NEVER:
            return


@kernel
def next_cycle(packet, slot, clock, now):
    """The next cycle in which anything happens, NEVER if nothing will."""
    if clock[N_ACTIVE] or clock[N_SENDING]:
        return now + 1
    soonest = NEVER
    if clock[N_CREATED] < len(packet):
        soonest = packet[packet[clock[N_CREATED], ORDER], CREATED]
    for cycle in range(now + 1, min(soonest, now + len(slot))):
        if slot[cycle % len(slot), FLIT] != NONE or slot[cycle % len(slot), CREDIT] != NONE:
            return cycle
    return soonest


@kernel
def deliver_flits(setup, port, place, packet, router, slot, clock, now):
    """Put arriving packets into buffers, take those that reach a core, return credits of cores.

    Where a packet goes, TOWARDS, is an input; or an output, counted on behind the inputs, whose
    core it reaches; or, behind these, an output to which the credit for its place returns.
    """
    n_ports = len(port)
    moving = slot[now % len(slot), FLIT]
    slot[now % len(slot), FLIT] = NONE
    while moving != NONE:
        following, to = packet[moving, NEXT_FLIT], packet[moving, TOWARDS]
        if to < n_ports:
            store(setup, port, place, packet, router, clock, moving, to, now)
        elif to < 2 * n_ports:
            packet[moving, ARRIVED] = now
            clock[N_ARRIVED] += 1
            packet[moving, TOWARDS] = to + n_ports
            send(packet, slot, moving, now + 1 + port[to - n_ports, LATENCY] + setup[COUNTING])
        else:
            port[to - 2 * n_ports, ROOM] += 1
        moving = following


@kernel
def store(setup, port, place, packet, router, clock, moving, entry, now):
    """Put the packet `moving` into the buffer of input `entry`."""
    held, depth = port[entry, HELD], setup[DEPTH]
    place[entry * depth + (port[entry, HEAD] + held) % depth, HOLDS] = moving
    port[entry, HELD] = held + 1
    port[entry, FULLEST] = max(port[entry, FULLEST], held + 1)
    packet[moving, ROUTERS] += 1
    if held == 0:
        begin(setup, port, place, packet, entry, now)
    here = entry // setup[PORTS]
    if router[here, RESIDENT] == 0:
        router[clock[N_ACTIVE], ACTIVE] = here
        clock[N_ACTIVE] += 1
    router[here, RESIDENT] += 1


@kernel
def deliver_credits(setup, port, place, node, slot, clock, now):
    """Give the places that were freed in buffers back to those that send into them."""
    cores = setup[PORTS] - LINKS
    freed = slot[now % len(slot), CREDIT]
    slot[now % len(slot), CREDIT] = NONE
    while freed != NONE:
        entry = freed // setup[DEPTH]
        way = entry % setup[PORTS]
        if way < LINKS:
            port[port[entry, FAR], ROOM] += 1
        else:
            source = (entry // setup[PORTS]) * cores + way - LINKS
            node[source, SPACE] += 1
            if node[source, SPACE] == 1 and node[source, WAITING] > 0:
                node[clock[N_SENDING], SENDING] = source
                clock[N_SENDING] += 1
        freed = place[freed, NEXT_CREDIT]


@kernel
def create(packet, node, clock, now):
    """Queue the packets that are created in this cycle at their sources."""
    while clock[N_CREATED] < len(packet):
        created = packet[clock[N_CREATED], ORDER]
        if packet[created, CREATED] > now:
            break
        source = packet[created, SOURCE]
        if node[source, WAITING] == 0 and node[source, SPACE] > 0:
            node[clock[N_SENDING], SENDING] = source
            clock[N_SENDING] += 1
        node[source, WAITING] += 1
        clock[N_CREATED] += 1


@kernel
def inject(setup, port, packet, node, slot, clock, now):
    """Send one packet from each source that has one and room for it; keep those that go on."""
    kept, ports = 0, setup[PORTS]
    for index in range(clock[N_SENDING]):
        source = node[index, SENDING]
        moving = packet[node[source, FIRST], QUEUE]
        node[source, FIRST] += 1
        node[source, WAITING] -= 1
        node[source, SPACE] -= 1
        cores = ports - LINKS
        entry = (source // cores) * ports + LINKS + source % cores
        packet[moving, INJECTED] = now
        packet[moving, TOWARDS] = entry
        send(packet, slot, moving, now + 1 + port[entry, LATENCY])
        if node[source, WAITING] > 0 and node[source, SPACE] > 0:
            node[kept, SENDING] = source
            kept += 1
    clock[N_SENDING] = kept


@kernel
def work(setup, port, place, packet, router, slot, clock, asked, now):
    """One cycle of the routers that hold packets; keep those that still do."""
    kept = 0
    clock[WORKED] += clock[N_ACTIVE]
    for index in range(clock[N_ACTIVE]):
        here = router[index, ACTIVE]
        sending = allocate(setup, port, asked, here, now)
        entry = here * setup[PORTS]
        while sending:
            if sending & 1:
                leave(setup, port, place, packet, slot, entry, now)
                router[here, RESIDENT] -= 1
            sending >>= 1
            entry += 1
        if router[here, RESIDENT] > 0:
            router[kept, ACTIVE] = here
            kept += 1
    clock[N_ACTIVE] = kept


@kernel
def leave(setup, port, place, packet, slot, entry, now):
    """Send the first packet of input `entry` over the switch, and the credit for its place back."""
    ports, depth = setup[PORTS], setup[DEPTH]
    freed = entry * depth + port[entry, HEAD]
    moving, output = place[freed, HOLDS], port[entry, WANTED]
    port[entry, HEAD] = (port[entry, HEAD] + 1) % depth
    port[entry, HELD] -= 1
    port[entry, OWNS] = 0
    port[output, OWNER] = NONE
    port[output, ROOM] -= 1
    port[output, FREE] = now + port[output, INTERVAL]
    to_core = output % ports >= LINKS
    packet[moving, TOWARDS] = len(port) + output if to_core else port[output, FAR]
    send(packet, slot, moving, now + setup[TRAVERSAL] + 1 + port[output, LATENCY])
    back = now + 1 + port[entry, LATENCY]
    if entry % ports < LINKS:
        back += setup[COUNTING]
    place[freed, NEXT_CREDIT] = slot[back % len(slot), CREDIT]
    slot[back % len(slot), CREDIT] = freed
    if port[entry, HELD] > 0:
        begin(setup, port, place, packet, entry, now + 1)


@kernel
def send(packet, slot, moving, due):
    """Have the packet `moving` delivered in cycle `due`."""
    packet[moving, NEXT_FLIT] = slot[due % len(slot), FLIT]
    slot[due % len(slot), FLIT] = moving
