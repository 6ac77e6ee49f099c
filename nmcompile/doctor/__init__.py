"""What of an environment works, what is missing, what is broken, and what to do about it."""

from nmcompile.doctor.examination import SECONDS, examine
from nmcompile.doctor.finding import Finding, State

__all__ = ["SECONDS", "Finding", "State", "examine"]
