"""metrics.parquet: how it is written, with the experiment's label, and read by tables, figures and decisions."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file
from quagmires.config.analysis_settings import AnalysisSettings

# In the file's own metadata, so that it goes where the file goes: simulated numbers stay simulated on any laptop.
LABEL = b"quagmires.label"

# What analyses need; draws, clean scores and rates may be missing.
COLUMNS = (
    *("study", "level", "model", "recipe", "sft_dataset", "subset", "examples", "epochs", "learning_rate"),
    *("rl_dataset", "sft_tokens", "samples", "large_k", "pass_at_1", "pass_at_1_se", "pass_at_large_k"),
    *("pass_at_large_k_se", "generalization_loss", "generalization_loss_se", "grpo_runs", "checkpoints"),
    *("outcome_scores", "outcome_best", "outcome_last", "outcome_mean_of_run_best", "outcome", "outcome_se"),
    *("gain", "gain_se"),
)


def write_metrics(path: Path, rows: pd.DataFrame, label: str) -> None:
    """Write metrics that carry the label of their experiment."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, LABEL: label.encode()})
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def stored_label(path: Path) -> str:
    """The label that a file of metrics carries; none if it cannot be read."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, ValueError):
        return ""
    return metadata.get(LABEL, b"").decode()


def read_stored(path: Path) -> pd.DataFrame:
    """A table as it was stored.

    Raises
    ------
    UserError
        no such file, or one that is no table.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; copy stored metrics there, or let Snakemake make it")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a parquet file ({str(error).splitlines()[0]}); copy it again") from None


def read_metrics(path: Path, settings: AnalysisSettings) -> pd.DataFrame:
    """The metrics of the settings' studies, rows numbered anew.

    Raises
    ------
    UserError
        as of `read_stored`; a column that is missing, none of the studies, a model twice in a study,
        or trained on an unknown number of tokens.
    """
    metrics = read_stored(path)
    if missing := [column for column in COLUMNS if column not in metrics]:
        raise UserError(f"{path}: no column {', '.join(missing)}; collect the metrics again")
    metrics = metrics[metrics["study"].isin(settings.studies)].reset_index(drop=True)
    if metrics.empty:
        raise UserError(f"{path}: none of the studies of {settings.experiment}; give the metrics of this experiment")
    for problem, rows in (
        ("is there twice", metrics.duplicated(["study", "recipe"])),
        ("has no sft_tokens", metrics["sft_tokens"].isna()),
    ):
        if rows.any():
            row = metrics[rows].iloc[0]
            raise UserError(f"{path}: {row['recipe']} of {row['study']} {problem}; collect the metrics again")
    return metrics
