"""Floor 1: from text to pieces and back. Vocabularies, batch encoding, explanations, golden encodings."""
