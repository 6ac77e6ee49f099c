"""What routers do with packets."""

from nmcompile.arithmetic.jit import kernel


@kernel
def first_matches(start, table_key, table_mask, table_route, key, chip, route):
    """Set `route` (k,) of each packet with a matching entry on its chip; others keep theirs."""
    for packet in range(len(key)):
        for entry in range(start[chip[packet]], start[chip[packet] + 1]):
            if key[packet] & table_mask[entry] == table_key[entry]:
                route[packet] = table_route[entry]
                break
