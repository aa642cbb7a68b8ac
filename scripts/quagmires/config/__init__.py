"""What an experiment is: the schema of its config, loading, its expansion into runs, names of subsets and recipes."""
