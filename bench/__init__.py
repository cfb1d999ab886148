"""Measurements beside the peers: one script each, all through `python -m bench`. See bench/README.md."""
