"""Tables from metrics.parquet: the models, and how well each predictor foretells the outcome after RL."""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.errors import UserError, command_line
from quagmires.files import whole_file, write_text
from quagmires.labels import recipe_label
from quagmires.markdown import markdown_table
from quagmires.predictors import PREDICTORS, evaluate

MODEL_COLUMNS = {
    "study": "study",
    "model": "model",
    "recipe": "recipe",
    "examples": "examples",
    "epochs": "epochs",
    "sft_tokens": "SFT tokens",
    "pass_at_1": "Pass@1",
    "pass_at_1_se": "Pass@1 s.e.",
    "pass_at_large_k": "Pass@k",
    "generalization_loss": "gen. loss",
    "outcome_best": "after RL, best",
    "outcome_se": "best s.e.",
    "outcome_last": "after RL, last",
    "outcome_mean_of_run_best": "after RL, mean of run best",
    "gain": "gain",
    "gain_se": "gain s.e.",
    "pass_at_1_clean": "Pass@1, clean",
    "outcome_clean": "after RL, clean",
    "no_answer_before": "no answer before",
    "no_answer_after": "no answer after",
    "truncated_after": "truncated after",
    "timeout_after": "timeout after",
    "unparsable_after": "unparsable after",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True, help="for splits, bootstrap and permutations")
    parser.add_argument("--label", default="", help="shown above the tables")
    parser.add_argument("--models", type=Path, required=True, help="CSV")
    parser.add_argument("--predictors", type=Path, required=True, help="CSV")
    parser.add_argument("--markdown", type=Path, required=True)
    options = parser.parse_args()

    metrics = pd.read_parquet(options.metrics)
    if metrics.empty:
        raise UserError(f"{options.metrics}: no models; run the workflow first")
    models = models_table(metrics)
    predictors = predictors_table(metrics, options.seed)
    for path, table in ((options.models, models), (options.predictors, predictors)):
        with whole_file(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4f")
    label = f"*{options.label}*\n\n" if options.label else ""
    write_text(options.markdown, f"{label}## Models\n\n{markdown(models)}\n\n## Predictors\n\n{markdown(predictors)}\n")


def models_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per SFT model, best outcome first within each study."""
    table = metrics.assign(
        recipe=[recipe_label(*pair) for pair in zip(metrics["subset"], metrics["epochs"], strict=True)]
    )
    table = table.sort_values(["study", "outcome"], ascending=[True, False])
    k = int(metrics["large_k"].iloc[0])
    return table[list(MODEL_COLUMNS)].rename(columns={**MODEL_COLUMNS, "pass_at_large_k": f"Pass@{k}"})


def predictors_table(metrics: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row per study and predictor."""
    rows = [
        {"study": study, "predictor": name, **evaluate(models, predictor, seed)}
        for study, models in metrics.groupby("study", sort=False)
        for name, predictor in PREDICTORS.items()
    ]
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table with three decimals."""

    def cell(value) -> str:
        if pd.isna(value):
            return "-"
        return (
            f"{value:.3f}"
            if isinstance(value, float) and value != int(value)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )

    return markdown_table(table.columns, [[cell(value) for value in row] for row in table.itertuples(index=False)])


if __name__ == "__main__":
    command_line(main)
