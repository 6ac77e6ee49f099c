"""Audio files as frames of features: log-mel, mel, MFCC."""

from nmcompile.frontends.audio.options import AudioOptions

__all__ = ["AudioOptions"]
