"""Before anything runs: what is refused, what jobs ask for, what an experiment costs, and SLURM."""
