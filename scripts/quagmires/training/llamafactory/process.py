"""One process of an SFT run: LLaMA-Factory as it is, and between two steps a look whether to save and end.

    python -m quagmires.training.llamafactory.process RUN.yaml STOP_FILE

Also under torchrun, as a module. transformers has `enable_jit_checkpoint` for the same end; there each process decides
by its own clock, so that some may wait for others for ever, and a run that was cut short looks finished.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import yaml
from llamafactory.train.tuner import run_exp
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


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
    run_exp(settings, callbacks=[StopOnRequest(Path(sys.argv[2]))])
