"""Ways to read a text of more pieces than the encoder is given."""

from maskwright.tasks.long._long import Long

__all__ = ["Long"]
