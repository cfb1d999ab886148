"""Floor 6: from labelled rows to a model that is proved to be what was trained."""
