"""Pass@k beyond the number of samples: families of difficulty, their fits, and doubts about them."""
