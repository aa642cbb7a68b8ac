"""One row of metrics.parquet: an SFT model with its predictors and, where RL has been run, its outcomes."""

from pathlib import Path

import numpy as np
import pandas as pd

from quagmires.common.files import read_json
from quagmires.config.algorithms import DEFAULT
from quagmires.config.experiment import COMMON, POOLS_TOGETHER, SCHEDULED
from quagmires.config.subset_names import BASE
from quagmires.evaluation.paired_difference import lost_coverage, macro_difference, missed_again
from quagmires.evaluation.pass_at_k import entry_columns
from quagmires.evaluation.reward_signal import signal_columns
from quagmires.evaluation.scores import RATES, macro_over
from quagmires.prediction.bootstrap import joint_draws, loss_draws

SHEET_COLUMNS = (
    "study",
    "level",
    "model",
    "recipe",
    "sft_dataset",
    "subset",
    "examples",
    "epochs",
    "learning_rate",
    "rl_dataset",
    "grpo_runs",
    "checkpoints",
)


def metrics_row(root: Path, run: dict, large_k: int, seed: int, with_base: bool = False) -> dict:
    """One SFT model's row.

    Parameters
    ----------
    root
        the experiment's results folder.
    run
        a row of the run sheet.
    seed
        of the bootstrap over problems; see bootstrap.py.
    with_base
        whether the base model is in the run's study, so that coverage can be compared with it.

    Returns
    -------
    dict
        with the columns of RL empty where a checkpoint's scores are not there.
    """
    folder = root / run["model"] / run["recipe"]
    counts = pd.read_parquet(folder / "sft" / "eval" / "counts.parquet")
    before = _before_rl(folder, run, counts, large_k, seed)
    paths = score_files(folder, run)
    finished = all(map(Path.is_file, paths))
    after = _after_rl(run, paths, counts, before["pass_at_1"], seed) if finished else _no_rl()
    base = pd.read_parquet(root / run["model"] / BASE / "sft" / "eval" / "counts.parquet") if with_base else None
    coverage = _coverage(run, base, counts, large_k)
    scheduled = run.get(SCHEDULED, run["epochs"])
    common = _common_loss(folder, run, seed)
    return {**{key: run[key] for key in SHEET_COLUMNS}, SCHEDULED: scheduled, **before, **common, **coverage, **after}


def rl_folder(folder: Path, run: dict) -> Path:
    """The folder of all RL runs of an SFT model on an RL set. Older run sheets do not name their only algorithm."""
    return folder / run.get("algorithm", DEFAULT) / run["rl_dataset"]


def score_files(folder: Path, run: dict) -> list[Path]:
    """The score files of all checkpoints of all RL runs of an SFT model, run by run."""
    runs = rl_folder(folder, run)
    return [
        runs / f"run{number}" / f"checkpoint{index}" / "eval" / "scores.json"
        for number in range(1, run["grpo_runs"] + 1)
        for index in range(1, run["checkpoints"] + 1)
    ]


def outcome_columns(scores: np.ndarray, runs: int) -> dict:
    """What is made of the Pass@1 of all checkpoints after RL, (runs * checkpoints,), run by run (paper, 4.1)."""
    per_run = scores.reshape(runs, -1)
    return {
        "outcome_scores": scores,
        "outcome_best": scores.max(),
        "outcome_last": per_run[:, -1].mean(),
        "outcome_mean_of_run_best": per_run.max(axis=1).mean(),
        "outcome": scores.max(),
    }


def _before_rl(folder: Path, run: dict, counts: pd.DataFrame, large_k: int, seed: int) -> dict:
    benchmarks = run["benchmarks"].split(",")
    trained = read_json(folder / "sft" / "model" / "training.json")
    loss_file = folder / "sft" / f"generalization_loss.{run['sft_dataset']}.json"
    loss = read_json(loss_file)
    examples = pd.read_parquet(loss_file.with_suffix(".parquet")).sort_values("id")
    scores = read_json(folder / "sft" / "eval" / "scores.json")
    average = macro_over(scores, benchmarks)
    tables = _by_benchmark(counts, benchmarks)
    at_one, at_large_k = (average["pass_at_k"][str(k)] for k in (1, large_k))
    return {
        "sft_tokens": trained["tokens_seen"],
        "sft_steps": trained["steps"],
        "samples": min(int(table["n"].min()) for table in tables.values()),
        "large_k": large_k,
        "pass_at_1": at_one["value"],
        "pass_at_1_se": at_one["standard_error"],
        "pass_at_1_draws": joint_draws(tables, 1, seed),
        "pass_at_large_k": at_large_k["value"],
        "pass_at_large_k_se": at_large_k["standard_error"],
        "pass_at_large_k_draws": joint_draws(tables, large_k, seed),
        "generalization_loss": loss["generalization_loss"],
        "generalization_loss_se": loss["standard_error"],
        "generalization_loss_draws": loss_draws(examples["nll"].to_numpy(), examples["tokens"].to_numpy(), seed),
        "pass_at_1_clean": clean_pass_at_1(scores, benchmarks),
        **{f"{name}_before": average[name] for name in RATES},
        **_entropy(average, "before"),
        **entry_columns("distinct_wrong", average.get("distinct_wrong_at_k", {}).get(str(large_k))),
        **signal_columns(scores.get("rl_prompts", {}).get(f"rl.{run['rl_dataset']}")),
    }


def _coverage(run: dict, base: pd.DataFrame | None, counts: pd.DataFrame, large_k: int) -> dict:
    """Problems that the base solves and this model does not; of the base, those that it misses at a second try."""
    benchmarks = run["benchmarks"].split(",")
    if base is None:
        value, error = np.nan, np.nan
    elif run["subset"] == BASE:
        value, error = missed_again(counts, large_k, benchmarks)
    else:
        value, error = lost_coverage(base, counts, large_k, benchmarks)
    return {"lost_coverage": value, "lost_coverage_se": error}


def _entropy(average: dict, when: str) -> dict:
    """Nats a token, and the number of responses it is an average over: those drawn earlier have no log-probability."""
    entry = average.get("entropy")
    columns = entry_columns(f"entropy_{when}", entry)
    return {**columns, f"entropy_{when}_responses": entry["responses"] if entry else 0}


def _common_loss(folder: Path, run: dict, seed: int) -> dict:
    """The loss on the validation set of several pools; empty where the experiment has none."""
    name = f"generalization_loss_{COMMON}"
    pools = run.get(POOLS_TOGETHER)
    # An empty cell of a run sheet is read as NaN.
    if not pools or not isinstance(pools, str):
        return {name: np.nan, f"{name}_se": np.nan, f"{name}_draws": None}
    file = folder / "sft" / f"generalization_loss.{COMMON}.json"
    loss, examples = read_json(file), pd.read_parquet(file.with_suffix(".parquet")).sort_values("id")
    draws = loss_draws(examples["nll"].to_numpy(), examples["tokens"].to_numpy(), seed)
    return {name: loss["generalization_loss"], f"{name}_se": loss["standard_error"], f"{name}_draws": draws}


def _after_rl(run: dict, paths: list[Path], before: pd.DataFrame, pass_at_1: float, seed: int) -> dict:
    """`before` are the counts of the SFT model: the error of the gain is that of differences on the same problems
    (Miller 2024). The choice of the best checkpoint is not in it.
    """
    benchmarks = run["benchmarks"].split(",")
    files = [read_json(path) for path in paths]
    after = [macro_over(one, benchmarks) for one in files]
    scores = np.array([one["pass_at_k"]["1"]["value"] for one in after])
    best = int(scores.argmax())
    counts = pd.read_parquet(paths[best].with_name("counts.parquet"))
    tables = _by_benchmark(counts, benchmarks)
    return {
        "samples_after_rl": min(int(table["n"].min()) for table in tables.values()),
        **outcome_columns(scores, run["grpo_runs"]),
        "outcome_se": after[best]["pass_at_k"]["1"]["standard_error"],
        "outcome_draws": joint_draws(tables, 1, seed),
        "gain": scores[best] - pass_at_1,
        "gain_se": macro_difference(before, counts, benchmarks).standard_error,
        "outcome_clean": clean_pass_at_1(files[best], benchmarks),
        **{f"{name}_after": after[best][name] for name in RATES},
        **_entropy(after[best], "after"),
    }


def _no_rl() -> dict:
    outcomes = ("outcome_best", "outcome_last", "outcome_mean_of_run_best", "outcome", "outcome_se")
    rates = (f"{name}_after" for name in RATES)
    numbers = ("samples_after_rl", *outcomes, "gain", "gain_se", "outcome_clean", *rates)
    return {"outcome_scores": None, "outcome_draws": None, **dict.fromkeys(numbers, np.nan), **_entropy({}, "after")}


def _by_benchmark(counts: pd.DataFrame, benchmarks: list[str]) -> dict[str, pd.DataFrame]:
    return {name: counts[counts["benchmark"] == name] for name in benchmarks}


def clean_pass_at_1(scores: dict, benchmarks: list[str]) -> float | None:
    """Macro-averaged Pass@1 without contaminated problems; None if they are all of them."""
    clean = scores["clean"]
    average = macro_over(clean, [name for name in benchmarks if name in clean["benchmarks"]])
    return average["pass_at_k"]["1"]["value"] if average["pass_at_k"] else None
