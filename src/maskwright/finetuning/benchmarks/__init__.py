"""Benchmarks: sets of real rows with a metric each, found in the layouts that people have them in."""

from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import Case, Published, Rows, Way

__all__ = ["Benchmark", "Case", "Published", "Rows", "Way"]
