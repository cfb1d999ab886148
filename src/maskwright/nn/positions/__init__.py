"""Ways to a longer table of positions than an encoder was trained with."""

from maskwright.nn.positions._positions import Positions

__all__ = ["Positions"]
