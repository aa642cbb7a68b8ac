"""RL by verl: its settings, their checks, its checkpoints, and when it saves."""
