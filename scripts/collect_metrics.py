"""Collect one row per study and SFT model: what it was trained on, its predictors, and its outcomes after RL."""

import argparse
import json
from pathlib import Path

import pandas as pd

from quagmires.errors import command_line
from quagmires.files import read_json, whole_file
from quagmires.paired import macro_difference
from quagmires.scores import RATES, macro_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, required=True, help="run sheet, TSV")
    parser.add_argument("--root", type=Path, required=True, help="the experiment's results folder")
    parser.add_argument("--large-k", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    parser.add_argument("--curves", type=Path, required=True, help="parquet of Pass@k curves")
    parser.add_argument("--training", type=Path, required=True, help="parquet of GRPO metrics by step")
    options = parser.parse_args()

    sheet = pd.read_csv(options.sheet, sep="\t")
    metrics, curves, training = [], [], []
    for run in sheet.to_dict("records"):
        metrics.append(metrics_row(options.root, run, options.large_k))
        curves += curve_rows(options.root, run)
        training += training_rows(options.root, run)
    for path, rows in ((options.output, metrics), (options.curves, curves), (options.training, training)):
        with whole_file(path) as temporary:
            pd.DataFrame(rows).to_parquet(temporary, index=False)


def metrics_row(root: Path, run: dict, large_k: int) -> dict:
    """One SFT model's row of metrics.parquet."""
    folder = root / run["model"] / run["recipe"]
    trained = read_json(folder / "sft" / "model" / "training.json")
    loss = read_json(folder / "sft" / f"generalization_loss.{run['sft_dataset']}.json")
    benchmarks = run["benchmarks"].split(",")
    before_scores = read_json(folder / "sft" / "eval" / "scores.json")
    before = macro(before_scores, benchmarks)
    paths = checkpoints(folder, run)
    after = [macro(read_json(path), benchmarks) for path in paths]
    scores = [one["pass_at_k"]["1"]["value"] for one in after]
    per_run = [scores[i : i + run["checkpoints"]] for i in range(0, len(scores), run["checkpoints"])]
    best = max(range(len(scores)), key=scores.__getitem__)
    pass_at_1 = before["pass_at_k"]["1"]
    outcomes = {
        "best": scores[best],
        "last": sum(one[-1] for one in per_run) / len(per_run),
        "mean_of_run_best": sum(max(one) for one in per_run) / len(per_run),
    }
    return {
        **{
            key: run[key]
            for key in ("study", "level", "model", "recipe", "sft_dataset", "subset", "examples", "epochs")
        },
        "learning_rate": run["learning_rate"],
        "rl_dataset": run["rl_dataset"],
        "sft_tokens": trained["tokens_seen"],
        "sft_steps": trained["steps"],
        "pass_at_1": pass_at_1["value"],
        "pass_at_1_se": pass_at_1["standard_error"],
        "large_k": large_k,
        "pass_at_large_k": before["pass_at_k"][str(large_k)]["value"],
        "pass_at_large_k_se": before["pass_at_k"][str(large_k)]["standard_error"],
        "generalization_loss": loss["generalization_loss"],
        "generalization_loss_se": loss["standard_error"],
        **{f"outcome_{name}": value for name, value in outcomes.items()},
        "outcome": outcomes["best"],
        "outcome_se": after[best]["pass_at_k"]["1"]["standard_error"],
        "gain": outcomes["best"] - pass_at_1["value"],
        "gain_se": gain_error(folder / "sft" / "eval", paths[best].parent, benchmarks),
        "rl_evaluations": len(scores),
        "pass_at_1_clean": clean_pass_at_1(before_scores, benchmarks),
        "outcome_clean": clean_pass_at_1(read_json(paths[best]), benchmarks),
        **{f"{name}_before": before[name] for name in RATES},
        **{f"{name}_after": after[best][name] for name in RATES},
    }


def gain_error(before: Path, after: Path, benchmarks: list[str]) -> float:
    """The standard error of the macro-averaged gain of Pass@1: both were measured on the same problems, so the errors
    are those of per-problem differences (Miller 2024). The choice of the best checkpoint is not in it.
    """
    counts = [pd.read_parquet(path / "counts.parquet") for path in (before, after)]
    return macro_difference(*counts, benchmarks).standard_error


def checkpoints(folder: Path, run: dict) -> list[Path]:
    """The score files of all checkpoints of all runs, run by run."""
    return [
        folder / "grpo" / run["rl_dataset"] / f"run{number}" / f"checkpoint{index}" / "eval" / "scores.json"
        for number in range(1, run["grpo_runs"] + 1)
        for index in range(1, run["checkpoints"] + 1)
    ]


def macro(scores: dict, benchmarks: list[str]) -> dict:
    """The macro-average; a checkpoint shared with a study of other benchmarks must be averaged over ours alone."""
    if list(scores["benchmarks"]) == benchmarks:
        return scores["macro"]
    return macro_scores({name: scores["benchmarks"][name] for name in benchmarks})


def clean_pass_at_1(scores: dict, benchmarks: list[str]) -> float | None:
    """Macro-averaged Pass@1 without contaminated problems; None if they are all of them."""
    clean = scores["clean"]["benchmarks"]
    average = macro_scores({name: clean[name] for name in benchmarks if name in clean})
    return average["pass_at_k"]["1"]["value"] if average["pass_at_k"] else None


def curve_rows(root: Path, run: dict) -> list[dict]:
    """Pass@k of the SFT model and of its last checkpoints, by k."""
    folder = root / run["model"] / run["recipe"]
    stages = [("SFT", folder / "sft" / "eval" / "scores.json")]
    stages += [("SFT + RL", path) for path in checkpoints(folder, run)[run["checkpoints"] - 1 :: run["checkpoints"]]]
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
        for k, entry in macro(read_json(path), run["benchmarks"].split(","))["pass_at_k"].items()
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
        path = root / run["model"] / run["recipe"] / "grpo" / run["rl_dataset"] / f"run{number}" / "metrics.jsonl"
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
