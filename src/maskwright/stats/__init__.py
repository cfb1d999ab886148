"""Floor 1: metrics over numpy arrays; no torch."""
