"""IBM TrueNorth: the deterministic neuron in its own integers, and weights on its crossbar."""
