"""Floor 2: one file per family (`bert.py`, ...); reading and writing the Hugging Face layout."""

from maskwright.models._convert import Converted, convert
from maskwright.models._family import families, family, special_ids
from maskwright.models._hub import data_folder, push
from maskwright.models._load import (
    ANSWERING,
    Loaded,
    count_outputs,
    describe,
    empty_network,
    limit,
    load_encoder,
    load_network,
    locate,
    random_network,
    save_network,
)
from maskwright.models._positions import lengthen, write_length
from maskwright.models._show import Listed, Shown, listing, show

__all__ = [
    "ANSWERING",
    "Converted",
    "Listed",
    "Loaded",
    "Shown",
    "convert",
    "count_outputs",
    "data_folder",
    "describe",
    "empty_network",
    "families",
    "family",
    "lengthen",
    "limit",
    "listing",
    "load_encoder",
    "load_network",
    "locate",
    "push",
    "random_network",
    "save_network",
    "show",
    "special_ids",
    "write_length",
]
