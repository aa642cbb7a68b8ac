"""From a model to scores: sampling by vLLM, shards, Pass@k with its errors, majority votes, paired differences."""
