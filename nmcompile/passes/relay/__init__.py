"""Sums that several layers share: by fan-in from all that contribute, or by graded relays."""

from nmcompile.passes.relay.relay import Relayed, rates_of, relay

__all__ = ["Relayed", "rates_of", "relay"]
