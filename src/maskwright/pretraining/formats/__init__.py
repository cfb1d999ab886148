"""How the sequences that a model reads are cut out of documents; one file each."""

from maskwright.pretraining.formats._format import Format, Sequences

__all__ = ["Format", "Sequences"]
