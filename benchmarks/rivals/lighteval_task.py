"""The benchmark as a lighteval task; settings.json lies beside the copy of this file."""

import json
from pathlib import Path

from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))


def doc(row: dict, task_name: str | None = None) -> Doc:
    """One problem."""
    return Doc(task_name=task_name, query=row["prompt"], choices=[row["answer"]], gold_index=0)


TASKS_TABLE = [
    LightevalTaskConfig(
        name="walks",
        prompt_function=doc,
        hf_repo=SETTINGS["data"],
        hf_subset="default",
        hf_avail_splits=["train"],
        evaluation_splits=["train"],
        generation_size=SETTINGS["max_tokens"],
        stop_sequence=[],
        metrics=[Metrics.avg_at_n_math(sample_params={"n": SETTINGS["samples"]})],
    )
]
