"""What the flat tables of the cycle timing hold; all are int64, and times are picoseconds.

A thing is named by where its row begins in its table, so that `port[it + FREE]` is a number of it.
A port is an input and an output of a router: links east, west, north and south, the router's
cores, and one where spikes enter the board.

PORT, a row for each port, those of a router together
    ORIGIN      the router's first port
    BIT         a bit of its own among the router's ports
    X, Y        column and row of the router
    BEHIND      the port at the other end of its link, -1 for none
    AT          the core behind it, -1 for none
    HOP         an output's way to the next input, or to its core
    INTERVAL    from one packet of an output to its next
    BASE, END   the places of an input
    FIRST, BACK  the place of its first packet, and where the next comes; a ring
    HELD        packets in it or on their way to it
    DUE         from when on the first packet of an input may ask for its output
    ASKS        that output
    FREE        from when on an output may take a packet
    TURN        bit of the input that an output took from last
    WANTS       bits of the inputs whose first packets ask for this output
    WAITS       IDLE; WAKING, until its event; STARVED, for a place to be given back
    IN, OUT     events: the first packet of an input asks, an output takes. In an event's place is
                its key, which is twice its time, one more for outputs; then the next event of its
                bucket in the calendar, -1 for none
PLACE, a row for each place of each input
    TIME        when its packet is there, or from when on it may be given away
    HOLDS       a packet
CORE, a row for each core, and the last for where spikes enter
    ENTRY, EXIT  its ports
    NEXT, LAST  its first packet that has not been sent, and the end of its packets
    SENT        when its last packet so far entered its router's input
    DONE        when it has worked off what has reached it
    TAKES       where in QUEUE its next packet comes;  LOW, HIGH  its part of QUEUE
    NUMBER      of the core
PACKET, a row for each packet, those of each core together and in their order
    GAP         of its core's work before it is handed on; or a time before which it is not
    SERVICE     of the work of the core that it goes to
    TO          that core
    LEG         of VIA, the next router of its way
VIA, a row for each router that ways around dead links go through: its column and row. Each way ends
    with a row of -1, and the first is empty
SETUP, one row
    DEPTH       places of an input;  QUEUE  places of a core
    PACE        from one packet of an input to its next
    CREDIT      from a packet's leaving a place until its sender may give that away
    SHIFT       low bits of a key that lie in one bucket of the calendar
    ABSOLUTE    whether GAP is a time
"""

(ORIGIN, BIT, X, Y, BEHIND, AT, HOP, INTERVAL, BASE, END, FIRST, BACK, HELD, DUE, ASKS, FREE, TURN,
 WANTS, WAITS, IN, IN_NEXT, OUT, OUT_NEXT) = range(23)
TIME, HOLDS = range(2)
ENTRY, EXIT, NEXT, LAST, SENT, DONE, TAKES, LOW, HIGH, NUMBER = range(10)
GAP, SERVICE, TO, LEG = range(4)
DEPTH, QUEUE, PACE, CREDIT, SHIFT, ABSOLUTE = range(6)

N_PORT, N_PLACE, N_CORE, N_PACKET, N_SETUP = 24, 2, 10, 4, 6
IDLE, WAKING, STARVED = range(3)
EAST, WEST, NORTH, SOUTH = (link * N_PORT for link in range(4))  # after ORIGIN
LINKS = 4
