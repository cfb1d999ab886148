"""Floor 1: tensors in, tensors out."""

from maskwright.nn.attention import attend
from maskwright.nn.batch import Batch, Chosen
from maskwright.nn.encoder import Encoder
from maskwright.nn.precision import precision

__all__ = ["Batch", "Chosen", "Encoder", "attend", "precision"]
