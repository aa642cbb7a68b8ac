"""What models are trained and tested on: traces, problems, token lengths, subsets, prompts, model directories."""
