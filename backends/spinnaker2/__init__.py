"""SpiNNaker 2 as py-spinnaker2 programs it: floating-point neurons with 8-bit weights."""
