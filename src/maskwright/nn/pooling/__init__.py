"""From the hidden states of a sequence to one vector."""

from maskwright.nn.pooling._pooling import Pooling

__all__ = ["Pooling"]
