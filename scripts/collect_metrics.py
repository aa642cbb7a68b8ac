"""Collect one row per study and SFT model: what it was trained on, its predictors, and its outcomes after RL."""

import argparse
import json
from pathlib import Path

import pandas as pd

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, whole_file
from quagmires.config.subset_names import BASE
from quagmires.evaluation.scores import macro_over
from quagmires.prediction.metrics_file import write_metrics
from quagmires.prediction.metrics_row import metrics_row, rl_folder, score_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="run sheet, TSV")
    parser.add_argument("--root", type=Path, required=True, help="the experiment's results folder")
    parser.add_argument("--large-k", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True, help="of the bootstrap over problems")
    parser.add_argument("--label", default="", help="shown on whatever is made of them")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    parser.add_argument("--curves", type=Path, help="parquet of Pass@k curves")
    parser.add_argument("--training", type=Path, help="parquet of RL metrics by step")
    parser.add_argument("--rl-optional", action="store_true", help="leave outcomes empty where there are none")
    options = parser.parse_args()

    runs = pd.read_csv(options.sheet, sep="\t").to_dict("records")
    if not options.rl_optional:
        require_rl(options.root, runs)
    with_base = {run["study"] for run in runs if run["subset"] == BASE}
    rows = [metrics_row(options.root, run, options.large_k, options.seed, run["study"] in with_base) for run in runs]
    for path, rows_of in ((options.curves, curve_rows), (options.training, training_rows)):
        if path:
            with whole_file(path) as temporary:
                pd.DataFrame([row for run in runs for row in rows_of(options.root, run)]).to_parquet(
                    temporary, index=False
                )
    write_metrics(options.output, pd.DataFrame(rows), options.label)


def require_rl(root: Path, runs: list[dict]) -> None:
    """Refuse if any model's scores after RL are missing."""
    for run in runs:
        for path in score_files(root / run["model"] / run["recipe"], run):
            if not path.is_file():
                raise UserError(f"{path}: no such file; evaluate the checkpoint, or collect with --rl-optional")


def curve_rows(root: Path, run: dict) -> list[dict]:
    """Pass@k of the SFT model and of its last checkpoints, by k."""
    folder = root / run["model"] / run["recipe"]
    stages = [("SFT", folder / "sft" / "eval" / "scores.json")]
    stages += [("SFT + RL", path) for path in score_files(folder, run)[run["checkpoints"] - 1 :: run["checkpoints"]]]
    return [
        {
            "study": run["study"],
            "recipe": run["recipe"],
            "subset": run["subset"],
            "epochs": run["epochs"],
            "stage": stage,
            "k": int(k),
            "pass_at_k": entry["value"],
            "standard_error": entry["standard_error"],
        }
        for stage, path in stages
        for k, entry in macro_over(read_json(path), run["benchmarks"].split(","))["pass_at_k"].items()
    ]


def training_rows(root: Path, run: dict) -> list[dict]:
    """verl's metrics of every step of every run, long form."""
    wanted = {
        "critic/score/mean": "reward",
        "response_length/mean": "response_tokens",
        "actor/grad_norm": "gradient_norm",
        "actor/entropy": "entropy",
        "timing_s/step": "seconds",
    }
    rows = []
    for number in range(1, run["grpo_runs"] + 1):
        path = rl_folder(root / run["model"] / run["recipe"], run) / f"run{number}" / "metrics.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            rows.append(
                {
                    "study": run["study"],
                    "recipe": run["recipe"],
                    "subset": run["subset"],
                    "epochs": run["epochs"],
                    "run": number,
                    "step": entry["step"],
                    **{name: entry.get(key) for key, name in wanted.items()},
                }
            )
    return rows


if __name__ == "__main__":
    command_line(main)
