"""Floor 5: corpus to encoder."""
