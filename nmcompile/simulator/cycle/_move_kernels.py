"""Packets on a mesh of routers with finite buffers, from one thing that happens to the next.

At one moment all packets ask that come to be first in their inputs, and then outputs take. What an
output does is seen later than that moment, so that the order of outputs does not matter.
"""

import numpy as np

from nmcompile.arithmetic.jit import bare_kernel
from nmcompile.simulator.cycle._calendar_kernels import WAITING, alone, put, take
from nmcompile.simulator.cycle._fields import (
    ABSOLUTE,
    ARRIVED,
    AT,
    BEHIND,
    CREDIT,
    DEPTH,
    DONE,
    DUE,
    ENTRY,
    EXIT,
    FIRST,
    FREE,
    GAP,
    HELD,
    HOLDS,
    HOP,
    IDLE,
    INTERVAL,
    KEY,
    LAST,
    LEG,
    LINKS,
    NEXT,
    PACE,
    PLACED,
    PORTS,
    QUEUE,
    ROUTER,
    SENT,
    SERVICE,
    STARVED,
    TIME,
    TO,
    TURN,
    WAITS,
    WAKING,
    WANTS,
)


@bare_kernel
def move(setup, router, via, port, place, core, queue, packet, event, ring, begin):
    """Move `packet` from cores to cores from the moment `begin` on; how many have arrived.

    The columns are those of `_fields.py`; `router` has the column and row of each, `via` routers to
    go through, each way ended by -1 and the first empty, `queue` (cores * QUEUE,) from when on the
    places of cores may be taken. Nothing is on the way, and whatever happened before is over at
    `begin`. DONE and SENT of cores and ARRIVED of packets are the result.
    """
    n_ports, depth = len(port), setup[DEPTH]
    for number in range(len(core)):
        core[number, SENT] = begin - setup[PACE] * setup[ABSOLUTE]
        core[number, DONE] = begin
        entry = core[number, ENTRY]
        count = min(depth, core[number, LAST] - core[number, NEXT])
        for _ in range(count):
            _enter(setup, port, place, core, packet, number, begin)
        if count:
            put(ring, event, entry, 2 * place[entry * depth + port[entry, FIRST], TIME])
    arrived = 0
    while ring[WAITING] > 0:
        number = take(ring, event)
        key = event[number, KEY]
        now = key >> 1
        if number < n_ports:
            output = _asked(setup, router, via, port, place, core, packet, number)
            if port[output, WAITS] != IDLE:
                continue
            when = _possible(setup, port, place, core, queue, output)
            if when < 0:
                port[output, WAITS] = STARVED
                continue
            if when > now or not alone(ring, event, key + 2):
                port[output, WAITS] = WAKING
                put(ring, event, n_ports + output, 2 * max(now, when) + 1)
                continue
        else:
            output = number - n_ports
        number = _given(setup, port, place, core, packet, event, ring, output, now, begin)
        arrived += _sent(setup, port, place, core, queue, packet, event, ring, output, number, now)
        port[output, WAITS] = IDLE
        if port[output, WANTS]:
            when = _possible(setup, port, place, core, queue, output)
            port[output, WAITS] = STARVED if when < 0 else WAKING
            if when >= 0:
                put(ring, event, n_ports + output, 2 * when + 1)
    return arrived


@bare_kernel
def _enter(setup, port, place, core, packet, number, begin):
    """The next packet of a core enters its router's input, in which there is a place."""
    entry, next_, depth = core[number, ENTRY], core[number, NEXT], setup[DEPTH]
    when = core[number, SENT] + (setup[PACE] if setup[ABSOLUTE] else packet[next_, GAP])
    when = max(when, begin + packet[next_, GAP] * setup[ABSOLUTE])
    slot = port[entry, FIRST] + port[entry, HELD]
    slot = entry * depth + (slot if slot < depth else slot - depth)
    place[slot, TIME], place[slot, HOLDS] = max(when, place[slot, TIME]), next_
    core[number, SENT], core[number, NEXT] = place[slot, TIME], next_ + 1
    port[entry, HELD] += 1


@bare_kernel
def _asked(setup, router, via, port, place, core, packet, entry):
    """Has the first packet of input `entry` ask for its output: along x, then y, then to its core.

    The output's number.
    """
    here, ports = port[entry, ROUTER], setup[PORTS]
    number = place[entry * setup[DEPTH] + port[entry, FIRST], HOLDS]
    if via[packet[number, LEG]] == here:
        packet[number, LEG] += 1
    exit_ = core[packet[number, TO], EXIT]
    to = via[packet[number, LEG]]
    if to < 0:
        to = port[exit_, ROUTER]
    if to == here:
        output = exit_
    elif router[to, 0] != router[here, 0]:
        output = here * ports + (0 if router[to, 0] > router[here, 0] else 1)
    else:
        output = here * ports + (3 if router[to, 1] > router[here, 1] else 2)
    port[output, WANTS] |= np.int64(1) << (entry - here * ports)
    return output


@bare_kernel
def _possible(setup, port, place, core, queue, output):
    """From when on an output may take a packet; -1 where that depends on what is to happen."""
    behind, depth = port[output, BEHIND], setup[DEPTH]
    if behind < 0:
        at = port[output, AT]
        return max(port[output, FREE], queue[at * setup[QUEUE] + core[at, PLACED]])
    if port[behind, HELD] == depth:
        return np.int64(-1)
    slot = port[behind, FIRST] + port[behind, HELD]
    slot = behind * depth + (slot if slot < depth else slot - depth)
    return max(port[output, FREE], place[slot, TIME])


@bare_kernel
def _given(setup, port, place, core, packet, event, ring, output, now, begin):
    """An output takes the packet whose turn it is, and gives its place back; its number."""
    ports, depth, wants = setup[PORTS], setup[DEPTH], port[output, WANTS]
    chosen = port[output, TURN] if port[output, FREE] > begin else ports - 1
    while True:
        chosen = chosen + 1 if chosen + 1 < ports else 0
        if wants >> chosen & 1:
            break
    port[output, WANTS] = wants & ~(np.int64(1) << chosen)
    port[output, TURN], port[output, FREE] = chosen, now + port[output, INTERVAL]
    entry = port[output, ROUTER] * ports + chosen
    first = port[entry, FIRST]
    slot, room = entry * depth + first, now + setup[CREDIT]
    number = place[slot, HOLDS]
    place[slot, TIME] = room
    port[entry, FIRST] = first + 1 if first + 1 < depth else 0
    port[entry, HELD] -= 1
    port[entry, DUE] = now + setup[PACE]
    if chosen < LINKS:
        before = port[entry, BEHIND]
        if port[before, WAITS] == STARVED:
            port[before, WAITS] = WAKING
            put(ring, event, len(port) + before, 2 * max(port[before, FREE], room) + 1)
    else:
        at = port[entry, AT]
        if core[at, NEXT] < core[at, LAST]:
            _enter(setup, port, place, core, packet, at, begin)
    if port[entry, HELD]:
        there = place[entry * depth + port[entry, FIRST], TIME]
        put(ring, event, entry, 2 * max(there, port[entry, DUE]))
    return number


@bare_kernel
def _sent(setup, port, place, core, queue, packet, event, ring, output, number, now):
    """A packet goes through an output, to the next input or to its core; 1 if to its core."""
    there, behind, depth = now + port[output, HOP], port[output, BEHIND], setup[DEPTH]
    if behind < 0:
        at = port[output, AT]
        core[at, DONE] = max(core[at, DONE], there) + packet[number, SERVICE]
        queue[at * setup[QUEUE] + core[at, PLACED]] = core[at, DONE]
        placed = core[at, PLACED] + 1
        core[at, PLACED] = placed if placed < setup[QUEUE] else 0
        packet[number, ARRIVED] = there
        return 1
    held = port[behind, HELD]
    slot = port[behind, FIRST] + held
    slot = behind * depth + (slot if slot < depth else slot - depth)
    place[slot, HOLDS], place[slot, TIME] = number, there
    port[behind, HELD] = held + 1
    if held == 0:
        put(ring, event, behind, 2 * max(there, port[behind, DUE]))
    return 0
