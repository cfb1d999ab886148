"""Whole sets of choices that go together; one file each."""

from maskwright.pretraining.recipes._recipe import Recipe

__all__ = ["Recipe"]
