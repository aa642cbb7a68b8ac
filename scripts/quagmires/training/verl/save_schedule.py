"""Save at the steps of a list, where verl knows multiples of one number only. Loaded by verl's trainer."""

from typing import Any

from verl.trainer.ppo.checkpoint_callback import CheckpointCallback


class SaveSchedule(CheckpointCallback):
    """After each save, make the next step of `trainer.save_steps` the one that verl finds divisible by `save_freq`."""

    def on_save(
        self, trainer: Any, global_step: int, checkpoint_dir: str, async_save: bool = False, **kwargs: Any
    ) -> None:
        later = [step for step in trainer.config.trainer.save_steps if step > global_step]
        if later:
            trainer.config.trainer.save_freq = min(later)
