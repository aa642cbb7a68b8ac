"""The library behind the workflow's scripts: the experiment, curation, grading, scores and prediction."""
