"""What all trainers share: the settings that identify a run, and checks before any run waits for a GPU."""
