"""A laboratory's torch library of one neuron, `nmc_lablif.neuron`, and its adapter."""
