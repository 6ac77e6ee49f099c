"""The lane that updates Pico's 256 neurons one after the other, as hardware."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

V_BITS, DECAY_BITS = 20, 12
SUM_BITS = 25  # the bias and 65,536 weights of 8 bits


class Lane(wiring.Component):
    """Sums what arrives at one neuron, and gives the neuron's next state.

    A cycle with `load` begins the sum with the bias, each cycle with `add` adds a weight. v_out,
    r_out and spike follow from the sum and the registers of the neuron at once.
    """

    load: In(1)
    bias: In(signed(V_BITS))
    add: In(1)
    weight: In(signed(8))

    decay: In(DECAY_BITS + 1)
    threshold: In(V_BITS - 1)
    refractory: In(4)
    v: In(signed(V_BITS))
    r: In(4)

    v_out: Out(signed(V_BITS))
    r_out: Out(4)
    spike: Out(1)

    def elaborate(self, platform: Any) -> Module:
        """The lane as gates and registers."""
        m = Module()
        arrived = Signal(signed(SUM_BITS))
        with m.If(self.load):
            m.d.sync += arrived.eq(self.bias)
        with m.Elif(self.add):
            m.d.sync += arrived.eq(arrived + self.weight)

        high, low = 2 ** (V_BITS - 1) - 1, -(2 ** (V_BITS - 1))
        summed, new = Signal(signed(SUM_BITS + 1)), Signal(signed(V_BITS))
        m.d.comb += summed.eq((self.v * self.decay >> DECAY_BITS) + arrived)
        m.d.comb += new.eq(Mux(summed > high, high, Mux(summed < low, low, summed)))
        with m.If(self.r != 0):
            m.d.comb += self.r_out.eq(self.r - 1)
        with m.Elif(new >= self.threshold):
            m.d.comb += [self.spike.eq(1), self.r_out.eq(self.refractory)]
        with m.Else():
            m.d.comb += self.v_out.eq(new)
        return m
