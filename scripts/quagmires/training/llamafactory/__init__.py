"""SFT by LLaMA-Factory: its settings, their checks, its checkpoints, and the process that runs it."""
