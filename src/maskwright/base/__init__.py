"""Floor 0: configuration, choices, errors, files and the machine."""
