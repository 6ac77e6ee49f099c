"""Packets on a mesh of routers with finite buffers, from one thing that happens to the next.

At one moment all packets ask that come to be first in their inputs, and then outputs take. What an
output does is seen later than that moment, so that the order of outputs does not matter. A packet
that comes to be first, and whose output cannot take before it asks, asks without an event.
"""

import numpy as np

from nmcompile.arithmetic._bit_kernels import lowest_bit
from nmcompile.arithmetic.jit import bare_kernel
from nmcompile.simulator.cycle._calendar_kernels import WAITING, alone, put, take
from nmcompile.simulator.cycle._fields import (
    ABSOLUTE,
    ASKS,
    AT,
    BACK,
    BASE,
    BEHIND,
    BIT,
    CREDIT,
    DEPTH,
    DONE,
    DUE,
    EAST,
    END,
    ENTRY,
    EXIT,
    FIRST,
    FREE,
    GAP,
    HELD,
    HIGH,
    HOLDS,
    HOP,
    IDLE,
    IN,
    INTERVAL,
    LAST,
    LEG,
    LOW,
    N_CORE,
    N_PACKET,
    N_PLACE,
    N_PORT,
    NEXT,
    NORTH,
    ORIGIN,
    OUT,
    PACE,
    SENT,
    SERVICE,
    SHIFT,
    SOUTH,
    STARVED,
    TAKES,
    TIME,
    TO,
    TURN,
    WAITS,
    WAKING,
    WANTS,
    WEST,
    X,
    Y,
)


@bare_kernel
def move(setup, via, port, place, core, queue, packet, ring, arrived, begin):
    """Move `packet` from cores to cores from the moment `begin` on; how many have arrived.

    The tables are those of `_fields.py`; `queue` has, for the places of cores, from when on they
    may be taken. Nothing is on the way, and whatever happened before is over at `begin`. DONE and
    SENT of cores are the result, and `arrived` where it is not empty: (packets,) when each reaches
    its core.
    """
    depth, shift, credit, pace = setup[DEPTH], setup[SHIFT], setup[CREDIT], setup[PACE]
    absolute, straight, done = setup[ABSOLUTE], len(via) == 2, 0
    _start(setup, via, port, place, core, packet, ring, begin, straight)
    while ring[WAITING] > 0:
        event = take(ring, port, shift)
        key = port[event]
        now = key >> 1
        output = event - OUT
        if key & 1 == 0:
            output = _asked(port, place, core, queue, ring, event - IN, key, depth, shift)
            if output < 0:
                continue
        entry, more = _chosen(port, output, now, begin)
        moved = _left(port, place, entry, now, credit, pace)
        there, behind = now + port[output + HOP], port[output + BEHIND]
        _sent(port, place, core, queue, packet, arrived, output, moved, there)
        done += behind < 0
        port[output + WAITS] = IDLE
        if more:
            _wait(port, place, core, queue, ring, output, depth, shift)
        # The place is given to who feeds the input.
        before = port[entry + BEHIND]
        if before >= 0:
            if port[before + WAITS] == STARVED:
                port[before + WAITS] = WAKING
                when = max(port[before + FREE], now + credit)
                put(ring, port, before + OUT, 2 * when + 1, shift)
        elif core[port[entry + AT] + NEXT] < core[port[entry + AT] + LAST]:
            _enter(port, place, core, packet, port[entry + AT], pace, absolute, begin)
        # Who is first now asks.
        if behind >= 0 and port[behind + HELD] == 1:
            when = max(there, port[behind + DUE])
            _ask(via, port, place, core, packet, ring, behind, when, now, credit, shift, straight)
        if port[entry + HELD]:
            when = max(place[port[entry + FIRST] + TIME], now + pace)
            _ask(via, port, place, core, packet, ring, entry, when, now, credit, shift, straight)
    return done


@bare_kernel
def _start(setup, via, port, place, core, packet, ring, begin, straight):
    """Fill the inputs of cores with the first packets of each."""
    pace, absolute = setup[PACE], setup[ABSOLUTE]
    for at in range(0, len(core), N_CORE):
        core[at + SENT] = begin - pace * absolute
        core[at + DONE] = begin
        entry, count = core[at + ENTRY], (core[at + LAST] - core[at + NEXT]) // N_PACKET
        for _ in range(min(setup[DEPTH], count)):
            _enter(port, place, core, packet, at, pace, absolute, begin)
        if count:
            when = place[port[entry + FIRST] + TIME]
            _ask(via, port, place, core, packet, ring, entry, when, begin, setup[CREDIT],
                 setup[SHIFT], straight)


@bare_kernel
def _asked(port, place, core, queue, ring, entry, key, depth, shift):
    """The first packet of input `entry` asks now; its output if that can take at once, else -1."""
    output = port[entry + ASKS]
    port[output + WANTS] |= port[entry + BIT]
    if port[output + WAITS] != IDLE:
        return np.int64(-1)
    when = _possible(port, place, core, queue, output, depth)
    if when < 0:
        port[output + WAITS] = STARVED
        return np.int64(-1)
    if 2 * when <= key and alone(ring, port, key + 2):
        return output
    port[output + WAITS] = WAKING
    put(ring, port, output + OUT, max(key, 2 * when) + 1, shift)
    return np.int64(-1)


@bare_kernel
def _chosen(port, output, now, begin):
    """The input whose turn it is at an output, and whether others ask for it."""
    wants = port[output + WANTS]
    turn = port[output + TURN] if port[output + FREE] > begin else 0
    later = wants & -2 * turn
    number = lowest_bit(np.uint64(later if later else wants))
    bit = np.int64(1) << number
    port[output + WANTS], port[output + TURN] = wants ^ bit, bit
    port[output + FREE] = now + port[output + INTERVAL]
    return port[output + ORIGIN] + number * N_PORT, wants != bit


@bare_kernel
def _left(port, place, entry, now, credit, pace):
    """The first packet of input `entry`, which leaves it."""
    first = port[entry + FIRST]
    number = place[first + HOLDS]
    place[first + TIME] = now + credit
    first += N_PLACE
    port[entry + FIRST] = first if first < port[entry + END] else port[entry + BASE]
    port[entry + HELD] -= 1
    port[entry + DUE] = now + pace
    return number


@bare_kernel
def _sent(port, place, core, queue, packet, arrived, output, number, there):
    """A packet goes through an output, to the next input or to its core."""
    behind = port[output + BEHIND]
    if behind >= 0:
        back = port[behind + BACK]
        place[back + HOLDS], place[back + TIME] = number, there
        back += N_PLACE
        port[behind + BACK] = back if back < port[behind + END] else port[behind + BASE]
        port[behind + HELD] += 1
        return
    at = port[output + AT]
    core[at + DONE] = max(core[at + DONE], there) + packet[number + SERVICE]
    takes = core[at + TAKES]
    queue[takes] = core[at + DONE]
    core[at + TAKES] = takes + 1 if takes + 1 < core[at + HIGH] else core[at + LOW]
    if len(arrived):
        arrived[number // N_PACKET] = there


@bare_kernel
def _enter(port, place, core, packet, at, pace, absolute, begin):
    """The next packet of a core enters its router's input, in which there is a place."""
    entry, number = core[at + ENTRY], core[at + NEXT]
    if absolute:
        when = max(core[at + SENT] + pace, begin + packet[number + GAP])
    else:
        when = core[at + SENT] + packet[number + GAP]
    back = port[entry + BACK]
    when = max(when, place[back + TIME])
    place[back + TIME], place[back + HOLDS] = when, number
    core[at + SENT], core[at + NEXT] = when, number + N_PACKET
    back += N_PLACE
    port[entry + BACK] = back if back < port[entry + END] else port[entry + BASE]
    port[entry + HELD] += 1


@bare_kernel
def _ask(via, port, place, core, packet, ring, entry, when, now, credit, shift, straight):
    """Have the first packet of input `entry` ask at `when` for its output.

    That is along x, then along y, then to its core.
    """
    number = place[port[entry + FIRST] + HOLDS]
    output = core[packet[number + TO] + EXIT]
    here_x, here_y = port[entry + X], port[entry + Y]
    to_x, to_y = port[output + X], port[output + Y]
    if not straight:
        leg = packet[number + LEG]
        if via[leg] == here_x and via[leg + 1] == here_y:
            leg += 2
            packet[number + LEG] = leg
        if via[leg] >= 0:
            to_x, to_y = via[leg], via[leg + 1]
    if to_x != here_x:
        output = port[entry + ORIGIN] + (EAST if to_x > here_x else WEST)
    elif to_y != here_y:
        output = port[entry + ORIGIN] + (SOUTH if to_y > here_y else NORTH)
    waits = port[output + WAITS]
    if (waits == WAKING and port[output + OUT] >> 1 >= when) or (
            waits == STARVED and when <= now + credit):
        port[output + WANTS] |= port[entry + BIT]
    else:
        port[entry + ASKS] = output
        put(ring, port, entry + IN, 2 * when, shift)


@bare_kernel
def _possible(port, place, core, queue, output, depth):
    """From when on an output may take a packet; -1 where that depends on what is to happen."""
    behind = port[output + BEHIND]
    if behind < 0:
        return max(port[output + FREE], queue[core[port[output + AT] + TAKES]])
    if port[behind + HELD] == depth:
        return np.int64(-1)
    return max(port[output + FREE], place[port[behind + BACK] + TIME])


@bare_kernel
def _wait(port, place, core, queue, ring, output, depth, shift):
    """Have an output that packets ask for take one as soon as it may."""
    when = _possible(port, place, core, queue, output, depth)
    if when < 0:
        port[output + WAITS] = STARVED
    else:
        port[output + WAITS] = WAKING
        put(ring, port, output + OUT, 2 * when + 1, shift)
