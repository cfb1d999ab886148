"""Benchmarks: sets of real rows with a metric each, found in the layouts that people have them in."""

from maskwright.finetuning.benchmarks._benchmark import Benchmark
from maskwright.finetuning.benchmarks._case import CUT, Case, LeftOut, Published, Rows, Way, digests
from maskwright.finetuning.benchmarks._seen import digest, known_encoder

__all__ = ["CUT", "Benchmark", "Case", "LeftOut", "Published", "Rows", "Way", "digest", "digests", "known_encoder"]
