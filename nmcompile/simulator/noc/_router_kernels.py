"""One cycle of a router: allocation of outputs to packets, and of the switch."""

from nmcompile.arithmetic.jit import kernel
from nmcompile.simulator.noc._fields import (
    DEPTH,
    FREE,
    HEAD,
    HELD,
    HOLDS,
    NONE,
    OUTPUT,
    OUTPUT_DUE,
    OUTPUT_TURN,
    OUTPUT_WON,
    OWNER,
    OWNS,
    PORTS,
    READY,
    ROOM,
    ROUTING,
    SPECULATIVE,
    SWITCH,
    SWITCH_DUE,
    SWITCH_TURN,
    SWITCH_WON,
    TO_PORT,
    TO_ROUTER,
    WANTED,
    WIDTH,
)


@kernel
def begin(setup, port, place, packet, entry, now):
    """Have the first packet of input `entry` routed from cycle `now` on: x first, then y."""
    width, ports = setup[WIDTH], setup[PORTS]
    first = place[entry * setup[DEPTH] + port[entry, HEAD], HOLDS]
    router, aim = entry // ports, packet[first, TO_ROUTER]
    if aim % width != router % width:
        way = 0 if aim % width > router % width else 1
    elif aim != router:
        way = 2 if aim > router else 3
    else:
        way = packet[first, TO_PORT]
    port[entry, WANTED] = router * ports + way
    port[entry, READY] = now + setup[ROUTING]


@kernel
def allocate(setup, port, asked, router, now):
    """Allocate outputs and switch in one cycle; the inputs that send, as bits.

    Both allocations see the state as the cycle begins; then their results take effect.
    """
    first, ports = router * setup[PORTS], setup[PORTS]
    allocate_outputs(setup, port, asked, first, now)
    allocate_switch(setup, port, asked, first, now)
    sending = 0
    for way in range(ports):
        entry = first + way
        won_now = port[entry, OUTPUT_DUE] == now and port[entry, OUTPUT_WON]
        if port[entry, SWITCH_DUE] == now:
            if (port[entry, SWITCH_WON] and (port[entry, OWNS] or won_now)
                    and has_room(port, port[entry, WANTED], now)):
                sending |= 1 << way
            port[entry, SWITCH_DUE] = NONE
        if won_now:
            port[entry, OWNS] = 1
            if not setup[SPECULATIVE]:
                port[entry, READY] = now + 1
    for entry in range(first, first + ports):
        if port[entry, OUTPUT_DUE] == now:
            if port[entry, OUTPUT_WON]:
                port[port[entry, WANTED], OWNER] = entry
            port[entry, OUTPUT_DUE] = NONE
    return sending


@kernel
def allocate_outputs(setup, port, asked, first, now):
    """Grant each output that nobody owns to one of the packets that want it, in turn."""
    ports, cycles = setup[PORTS], setup[OUTPUT]
    asked[:] = 0
    for way in range(ports):
        entry = first + way
        if (port[entry, HELD] and port[entry, READY] <= now and not port[entry, OWNS]
                and port[entry, OUTPUT_DUE] == NONE):
            port[entry, OUTPUT_DUE] = now + cycles - 1
            port[entry, OUTPUT_WON] = 0
            if port[port[entry, WANTED], OWNER] == NONE:
                asked[port[entry, WANTED] - first] |= 1 << way
    for way in range(ports):
        if asked[way]:
            port[first + in_turn(port, asked[way], first + way, OUTPUT_TURN, ports), OUTPUT_WON] = 1
    if cycles > 1:
        for entry in range(first, first + ports):
            if port[entry, OUTPUT_DUE] == now and port[port[entry, WANTED], OWNER] != NONE:
                port[entry, OUTPUT_WON] = 0


@kernel
def allocate_switch(setup, port, asked, first, now):
    """Grant the way to each output to the packet that owns it, or else, in turn, on speculation."""
    ports = setup[PORTS]
    asked[:] = 0
    for way in range(ports):
        entry = first + way
        if (port[entry, HELD] and port[entry, READY] <= now and port[entry, SWITCH_DUE] == NONE
                and (port[entry, OWNS] or setup[SPECULATIVE])):
            output = port[entry, WANTED]
            port[entry, SWITCH_DUE] = now + setup[SWITCH] - 1
            port[entry, SWITCH_WON] = 0
            if ((port[entry, OWNS] or port[output, OWNER] == NONE)
                    and has_room(port, output, now)):
                asked[output - first] |= 1 << way
    for way in range(ports):
        if asked[way]:
            port[first + in_turn(port, asked[way], first + way, SWITCH_TURN, ports), SWITCH_WON] = 1


@kernel
def has_room(port, output, now):
    """Whether the buffer behind `output` has a place, and its link is free."""
    return port[output, ROOM] > 0 and port[output, FREE] <= now


@kernel
def in_turn(port, asked, output, turn, ports):
    """The first of the bits of `asked` from the output's turn on; the turn moves behind it."""
    way = port[output, turn]
    while not (asked >> way) & 1:
        way = way + 1 if way + 1 < ports else 0
    port[output, turn] = way + 1 if way + 1 < ports else 0
    return way
