"""Is a response right? The grader, its worker processes, how reference answers are read, and verl's reward."""
