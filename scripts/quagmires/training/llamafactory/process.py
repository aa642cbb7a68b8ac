"""One process of an SFT run: LLaMA-Factory as it is, and between two steps a look whether to save and end.

    python -m quagmires.training.llamafactory.process RUN.yaml STOP_FILE [RUNGS EPOCH...]

With RUNGS, a folder, the weights after each EPOCH are kept there. By settings alone either every checkpoint stays, with
its optimizer, or the newest few.

Also under torchrun, as a module. transformers has `enable_jit_checkpoint` for the same end; there each process decides
by its own clock, so that some may wait for others for ever, and a run that was cut short looks finished.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import yaml
from llamafactory.train.tuner import run_exp
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from quagmires.training.llamafactory.checkpoints import keep_weights, rung_folder


class KeepEpochs(TrainerCallback):
    """At the end of each of some epochs: save a checkpoint, and keep its weights in `rungs` when it is rotated out.

    The checkpoint is one more to resume from. If the run is killed between the two, the next attempt keeps the weights
    before it starts (checkpoints.py: `mend_rungs`).
    """

    def __init__(self, rungs: Path, epochs: Sequence[int]) -> None:
        self.rungs = rungs
        self.epochs = epochs

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._ended(args, state) is not None:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        epoch = self._ended(args, state)
        if epoch is not None and state.is_world_process_zero and not rung_folder(self.rungs, epoch).exists():
            keep_weights(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", rung_folder(self.rungs, epoch))

    def _ended(self, args: TrainingArguments, state: TrainerState) -> int | None:
        """Which of the epochs has just ended, by whole steps: all epochs have the same number."""
        done, within = divmod(state.global_step * int(args.num_train_epochs), state.max_steps)
        return done if within == 0 and done in self.epochs else None


class StopOnRequest(TrainerCallback):
    """Once `file` exists: save after the step at hand, the same step in all processes, and end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.stopping = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.stopping = _first_process_says(self.file.exists(), args.device)
        if self.stopping:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.stopping:
            if dist.is_initialized():
                # torchrun ends the others as soon as one is gone.
                dist.barrier()
            raise SystemExit(os.EX_TEMPFAIL)


def _first_process_says(answer: bool, device: torch.device) -> bool:
    """The first process's answer, in every process."""
    if not dist.is_initialized():
        return answer
    shared = torch.tensor(int(answer), device=device)
    dist.broadcast(shared, src=0)
    return bool(shared.item())


if __name__ == "__main__":
    settings = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    callbacks: list[TrainerCallback] = [StopOnRequest(Path(sys.argv[2]))]
    if sys.argv[3:]:
        # First: StopOnRequest may end the process when the checkpoint is saved.
        callbacks.insert(0, KeepEpochs(Path(sys.argv[3]), [int(epoch) for epoch in sys.argv[4:]]))
    run_exp(settings, callbacks=callbacks)
