"""Simulate the metrics of an experiment: what collect_metrics.py would collect if every run had been made.

They show what the workflow makes of finished runs, and are evidence for nothing: docs/example.md says how they come
about.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from quagmires.common.errors import UserError, command_line
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.evaluation.paired_difference import macro_difference
from quagmires.evaluation.pass_at_k import macro_average, mean_with_error, pass_at_k
from quagmires.prediction.bootstrap import joint_draws, loss_draws
from quagmires.prediction.metrics_file import write_metrics
from quagmires.prediction.metrics_row import SHEET_COLUMNS, outcome_columns
from quagmires.simulation import example_responses as responses
from quagmires.simulation import example_world as world
from quagmires.simulation.example_responses import Counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json; its label must say simulated")
    parser.add_argument("--sheet", type=Path, required=True, help="run sheet, TSV")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--samples", type=int, default=256, help="responses to a problem before RL (default: 256)")
    parser.add_argument("--samples-after-rl", type=int, default=64, help="and after (default: 64)")
    parser.add_argument("--validation-examples", type=int, default=1_000, help="default: 1000")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    label = AnalysisSettings.read(options.analysis).label
    if "simulated" not in label:
        raise UserError(f"{options.analysis}: its label is {label!r}; simulated metrics need one that says simulated")
    runs = pd.read_csv(options.sheet, sep="\t", keep_default_na=False).to_dict("records")
    models: dict[tuple, list[int]] = {}
    for position, run in enumerate(runs):
        models.setdefault((run["model"], run["recipe"], run["rl_dataset"]), []).append(position)
    rows = [{}] * len(runs)
    for positions in models.values():
        for position, row in zip(positions, model_rows([runs[i] for i in positions], options), strict=True):
            rows[position] = row
    write_metrics(options.output, pd.DataFrame(rows), label)


def model_rows(runs: list[dict], options: argparse.Namespace) -> list[dict]:
    """The rows of one model: it answers once, and its studies average over the benchmarks they have."""
    run, seed = runs[0], options.seed
    key = (run["model"], run["recipe"])
    truth = world.truth(run, responses.seeded(seed, *key, "recipe"))
    model = responses.solver(*key, truth, seed)
    before = responses.answers(model.pass_at(1), options.samples, responses.seeded(seed, *key, "before"))
    generator = responses.seeded(seed, *key, run["rl_dataset"], "after")
    size = (run["grpo_runs"], run["checkpoints"])
    after = responses.answers_after_rl(model, truth.after_rl, *size, options.samples_after_rl, generator)
    return [
        {
            **{name: one[name] for name in SHEET_COLUMNS},
            **before_rl(one, _of(before, one), options),
            **loss(one, options),
            **after_rl(one, _of(before, one), [_of(counts, one) for counts in after], seed),
        }
        for one in runs
    ]


def _of(counts: Counts, run: Mapping) -> Counts:
    """Those of the benchmarks of the run's study."""
    if unknown := set(run["benchmarks"].split(",")) - set(counts):
        raise UserError(f"the simulation has no benchmark {min(unknown)}; it has {', '.join(counts)}")
    return {name: counts[name] for name in run["benchmarks"].split(",")}


def macro(counts: Counts, k: int, keep: Mapping[str, np.ndarray] | None = None) -> tuple[float, float]:
    """Macro-averaged Pass@k and its standard error; `keep` chooses problems by benchmark."""
    values = [pass_at_k(table["n"].to_numpy(), table["c"].to_numpy(), k) for table in counts.values()]
    if keep:
        values = [one[keep[name]] for name, one in zip(counts, values, strict=True)]
    return macro_average(*zip(*map(mean_with_error, values), strict=True))


def clean(counts: Counts, seed: int) -> float:
    """Macro-averaged Pass@1 without contaminated problems."""
    return macro(counts, 1, {name: ~responses.contaminated(name, seed) for name in counts})[0]


def before_rl(run: Mapping, counts: Counts, options: argparse.Namespace) -> dict:
    """What is known of a model without RL, but for its loss."""
    at_one, at_large_k = (macro(counts, k) for k in (1, world.LARGE_K))
    return {
        "sft_tokens": world.sft_tokens(run),
        "sft_steps": world.sft_steps(run),
        "samples": options.samples,
        "large_k": world.LARGE_K,
        "pass_at_1": at_one[0],
        "pass_at_1_se": at_one[1],
        "pass_at_1_draws": joint_draws(counts, 1, options.seed),
        "pass_at_large_k": at_large_k[0],
        "pass_at_large_k_se": at_large_k[1],
        "pass_at_large_k_draws": joint_draws(counts, world.LARGE_K, options.seed),
        "pass_at_1_clean": clean(counts, options.seed),
        **{f"{name}_before": rate for name, rate in world.rates(run, at_one[0]).items()},
    }


def loss(run: Mapping, options: argparse.Namespace) -> dict:
    """Generalization loss on the validation examples of the study's SFT set, and its error by linearisation."""
    key = (run["model"], run["recipe"])
    value = world.truth(run, responses.seeded(options.seed, *key, "recipe")).loss
    examples = responses.validation_loss(run["sft_dataset"], *key, value, options.validation_examples, options.seed)
    measured = examples["nll"].sum() / examples["tokens"].sum()
    rest = examples["nll"] - measured * examples["tokens"]
    return {
        "generalization_loss": measured,
        "generalization_loss_se": rest.std() / np.sqrt(len(rest)) / examples["tokens"].mean(),
        "generalization_loss_draws": loss_draws(
            examples["nll"].to_numpy(), examples["tokens"].to_numpy(), options.seed
        ),
    }


def after_rl(run: Mapping, before: Counts, after: list[Counts], seed: int) -> dict:
    """The outcomes of a model; `after` holds its checkpoints, run by run."""
    scores = np.array([macro(counts, 1)[0] for counts in after])
    best = after[int(scores.argmax())]
    value, error = macro(best, 1)
    return {
        "samples_after_rl": int(next(iter(best.values()))["n"].iloc[0]),
        **outcome_columns(scores, run["grpo_runs"]),
        "outcome_se": error,
        "outcome_draws": joint_draws(best, 1, seed),
        "gain": value - macro(before, 1)[0],
        "gain_se": macro_difference(_table(before), _table(best)).standard_error,
        "outcome_clean": clean(best, seed),
        **{f"{name}_after": rate for name, rate in world.rates(run, value).items()},
    }


def _table(counts: Counts) -> pd.DataFrame:
    return pd.concat([table.assign(benchmark=name) for name, table in counts.items()])


if __name__ == "__main__":
    command_line(main)
