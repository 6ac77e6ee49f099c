"""Columns of the tables that the kernels of the mesh work on; all are int64.

PORT, a row for each input and output of each router (one of each shares a row)
    FAR         port at the other end of the link, -1 for cores and at the rim
    LATENCY, INTERVAL  cycles of the link, and from one packet on it to the next
    HEAD, HELD, FULLEST  ring of an input: first place, packets, most packets so far
    WANTED      output that the first packet of an input takes; from cycle READY on it asks
    OWNS        whether it owns that output
    OUTPUT_DUE, OUTPUT_WON, SWITCH_DUE, SWITCH_WON  cycle in which an allocation ends (-1 for none)
                and whether it granted the input
    OWNER       input that owns an output, -1 for none
    ROOM        free places behind an output; from cycle FREE on its link takes a packet
    OUTPUT_TURN, SWITCH_TURN  input whose turn it is at an output
PLACE, a row for each place of each ring
    HOLDS       packet;  NEXT_CREDIT  next place whose credit is due in the same cycle
PACKET, a row for each packet
    SOURCE, TO_ROUTER, TO_PORT, CREATED, INJECTED, ARRIVED, ROUTERS
    ORDER       packets in the order of creation;  QUEUE  the same, source by source
    NEXT_FLIT   next packet due in the same cycle;  TOWARDS  where a packet goes
NODE, a row for each core
    WAITING, FIRST  packets in its queue, and the first in QUEUE
    SPACE       free places in the router's input;  SENDING  a list of nodes that can inject
ROUTER, a row for each router
    RESIDENT    packets in its buffers;  ACTIVE  a list of routers that hold packets
SLOT, a row for each cycle ahead, modulo their number
    FLIT, CREDIT  first packet and first place that are due
CLOCK, one row: NOW; packets that have been created and that have ARRIVED; lengths of the two lists;
    router-cycles worked
"""

(FAR, LATENCY, INTERVAL, HEAD, HELD, FULLEST, WANTED, READY, OWNS, OUTPUT_DUE, OUTPUT_WON,
 SWITCH_DUE, SWITCH_WON, OWNER, ROOM, FREE, OUTPUT_TURN, SWITCH_TURN) = range(18)
HOLDS, NEXT_CREDIT = range(2)
(SOURCE, TO_ROUTER, TO_PORT, CREATED, INJECTED, ARRIVED, ROUTERS, ORDER, QUEUE, NEXT_FLIT,
 TOWARDS) = range(11)
WAITING, FIRST, SPACE, SENDING = range(4)
RESIDENT, ACTIVE = range(2)
FLIT, CREDIT = range(2)
NOW, N_CREATED, N_ARRIVED, N_ACTIVE, N_SENDING, WORKED = range(6)
WIDTH, PORTS, DEPTH, ROUTING, OUTPUT, SWITCH, TRAVERSAL, COUNTING, SPECULATIVE = range(9)

N_PORT, N_PLACE, N_PACKET, N_NODE, N_ROUTER, N_SLOT, N_CLOCK = 18, 2, 11, 4, 2, 2, 6
NONE = -1
NEVER = 2**63 - 1  # a cycle
LINKS = 4  # ports of a router that lead to others: +x, -x, +y, -y; its cores follow
