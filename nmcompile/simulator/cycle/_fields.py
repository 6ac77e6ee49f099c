"""Columns of the tables that the kernels of the cycle timing work on; all are int64.

Times are picoseconds. A port is an input and an output of a router that share a number, which is
router * ports + port: links east, west, north and south, the router's cores, and one where spikes
enter the board.

PORT, a row for each port
    ROUTER      that it is of
    BEHIND      the port at the other end of its link, -1 for none
    AT          the core behind it, the last number for where spikes enter; -1 for none
    HOP         an output's way to the next input, or to its core
    INTERVAL    from one packet of an output to its next
    FIRST, HELD  ring of an input: its first place, packets in it or on their way
    DUE         from when on the first packet of an input may ask for its output
    FREE        from when on an output may take a packet
    TURN        the input that an output took from last
    WANTS       a bit for each input whose first packet asks for this output
    WAITS       IDLE; WAKING, an event is in the calendar; STARVED, for a place to be given back
PLACE, a row for each place of each input
    TIME        when its packet is there, or from when on it may be given away
    HOLDS       a packet
CORE, a row for each core, and the last for where spikes enter
    ENTRY, EXIT  its ports
    NEXT, LAST  its first packet that has not been sent, and the end of its packets
    SENT        when its last packet so far entered its router's input
    DONE        when it has worked off what has reached it
    PLACED      packets that have reached it, modulo the places of its queue
PACKET, a row for each packet, those of each core together and in their order
    GAP         of its core's work before it is handed on; or a time before which it is not
    SERVICE     of the work of the core that it goes to
    TO          that core
    LEG         the next router of its way, in VIA
    ARRIVED     when it reaches that core
EVENT, a row for each port's input, then for each port's output
    KEY         twice its time, one more for outputs
    FOLLOWING   the next in its bucket of the calendar, -1 for none
SETUP, one row
    PORTS       of a router;  DEPTH  places of an input;  QUEUE  places of a core
    PACE        from one packet of an input to its next
    CREDIT      from a packet's leaving a place until its sender may give that away
    SHIFT       low bits of a KEY that lie in one bucket of the calendar
    ABSOLUTE    whether GAP is a time
"""

ROUTER, BEHIND, AT, HOP, INTERVAL, FIRST, HELD, DUE, FREE, TURN, WANTS, WAITS = range(12)
TIME, HOLDS = range(2)
ENTRY, EXIT, NEXT, LAST, SENT, DONE, PLACED = range(7)
GAP, SERVICE, TO, LEG, ARRIVED = range(5)
KEY, FOLLOWING = range(2)
PORTS, DEPTH, QUEUE, PACE, CREDIT, SHIFT, ABSOLUTE = range(7)

N_PORT, N_PLACE, N_CORE, N_PACKET, N_EVENT, N_SETUP = 12, 2, 7, 5, 2, 7
IDLE, WAKING, STARVED = range(3)
LINKS = 4
