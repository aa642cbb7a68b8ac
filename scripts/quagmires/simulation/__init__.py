"""Worlds with a known truth: the demo's walks, the example, and worlds in which the statistics are tested."""
