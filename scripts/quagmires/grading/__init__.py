"""Is a response right? Tasks, the kinds of problems; the grader and its worker processes; verl's reward."""
