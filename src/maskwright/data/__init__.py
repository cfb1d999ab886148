"""Floor 3: files of rows, label sets, splits and the order in which rows meet a model."""
