"""Worlds with a known truth: the demo's sums, the example, and worlds in which the statistics are tested."""
