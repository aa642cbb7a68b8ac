"""Benchmark problems in training sets: n-grams, the search for them, and summaries."""
