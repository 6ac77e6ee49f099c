"""SpiNNaker 1 as sPyNNaker 7.4.1 programs it: fixed-point neurons, ring buffers, weight scales."""
