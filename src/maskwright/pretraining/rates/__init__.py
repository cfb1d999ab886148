"""How large a share of the pieces is chosen as training goes on; one file each."""

from maskwright.pretraining.rates._rate import Rate

__all__ = ["Rate"]
