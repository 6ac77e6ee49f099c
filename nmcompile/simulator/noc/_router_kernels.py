"""One cycle of a router: allocation of outputs to packets, and of the switch."""

from nmcompile.arithmetic.jit import kernel

NEVER = -1


@kernel
def begin(fabric, packets, state, entry, now):
    """Let the first packet of input `entry` be routed from cycle `now` on: x first, then y."""
    packet = state.buffer[entry * fabric.depth + state.head[entry]]
    router, aim = entry // fabric.ports, packets.target_router[packet]
    x, y = router % fabric.width, router // fabric.width
    aim_x, aim_y = aim % fabric.width, aim // fabric.width
    if aim_x != x:
        port = 0 if aim_x > x else 1
    elif aim_y != y:
        port = 2 if aim_y > y else 3
    else:
        port = packets.target_port[packet]
    state.wanted[entry] = router * fabric.ports + port
    state.ready_at[entry] = now + fabric.routing_delay


@kernel
def step(fabric, state, router, now):
    """Allocate outputs and switch in one cycle; `state.sent` says which inputs may send.

    Both allocations see the state as the cycle begins; then their results take effect.
    """
    allocate_outputs(fabric, state, router, now)
    allocate_switch(fabric, state, router, now)
    first = router * fabric.ports
    for port in range(fabric.ports):
        entry = first + port
        state.sent[port] = False
        if state.switch_due[entry] == now:
            output = state.wanted[entry]
            state.sent[port] = (
                state.switch_won[entry]
                and (state.owns[entry] or (state.output_due[entry] == now
                                           and state.output_won[entry]))
                and has_room(state, output, now)
            )
            state.switch_due[entry] = NEVER
    for port in range(fabric.ports):
        entry = first + port
        if state.output_due[entry] == now:
            if state.output_won[entry]:
                state.owner[state.wanted[entry]] = entry
                state.owns[entry] = True
                if not fabric.speculative:
                    state.ready_at[entry] = now + 1
            state.output_due[entry] = NEVER


@kernel
def allocate_outputs(fabric, state, router, now):
    """Grant each output that nobody owns to one of the packets that want it, in turn."""
    first = router * fabric.ports
    state.asked[:] = 0
    for port in range(fabric.ports):
        entry = first + port
        if (state.held[entry] == 0 or state.ready_at[entry] > now or state.owns[entry]
                or state.output_due[entry] != NEVER):
            continue
        state.output_due[entry] = now + fabric.output_delay - 1
        state.output_won[entry] = False
        if state.owner[state.wanted[entry]] < 0:
            state.asked[state.wanted[entry] - first] |= 1 << port
    for port in range(fabric.ports):
        if state.asked[port]:
            winner = in_turn(state.asked[port], state.output_turn, first + port, fabric.ports)
            state.output_won[first + winner] = True
    if fabric.output_delay > 1:
        for entry in range(first, first + fabric.ports):
            if state.output_due[entry] == now and state.owner[state.wanted[entry]] >= 0:
                state.output_won[entry] = False


@kernel
def allocate_switch(fabric, state, router, now):
    """Grant the way to each output to the packet that owns it, or else, in turn, on speculation."""
    first = router * fabric.ports
    state.asked[:] = 0
    for port in range(fabric.ports):
        entry = first + port
        if (state.held[entry] == 0 or state.ready_at[entry] > now
                or state.switch_due[entry] != NEVER):
            continue
        output = state.wanted[entry]
        if not state.owns[entry] and not fabric.speculative:
            continue
        state.switch_due[entry] = now + fabric.switch_delay - 1
        state.switch_won[entry] = False
        if (state.owns[entry] or state.owner[output] < 0) and has_room(state, output, now):
            state.asked[output - first] |= 1 << port
    for port in range(fabric.ports):
        if state.asked[port]:
            winner = in_turn(state.asked[port], state.switch_turn, first + port, fabric.ports)
            state.switch_won[first + winner] = True


@kernel
def has_room(state, output, now):
    """Whether the buffer behind `output` has a place, and its link is free."""
    return state.credits[output] > 0 and state.free_at[output] <= now


@kernel
def in_turn(asked, turn, output, ports):
    """The first of the bits of `asked` from `turn[output]` on; the turn moves behind it."""
    port = turn[output]
    while not (asked >> port) & 1:
        port = (port + 1) % ports
    turn[output] = (port + 1) % ports
    return port
