"""The settings of an analysis: what tables, figures, decisions and the report of stored metrics need from the config.

They are written beside the metrics (analysis.json), so that scripts run alone and results can be moved to a laptop.
"""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, ValidationError

from quagmires.common.errors import UserError
from quagmires.config.algorithms import ALGORITHMS, DEFAULT
from quagmires.config.schema import Analysis, Block, Config, FigureSettings, Name, TableSettings

# Tables of every experiment, beside those its config asks for.
TABLES = ("models", "predictors", "outcomes")


class StudySettings(Block):
    """One study as tables and figures name it."""

    title: str
    level: Literal["dataset", "instance", "showcase"]
    model: Name
    model_title: str = Field(description="How the model is called in the published tables.")
    sft_dataset: Name
    rl_dataset: Name
    algorithm: str = Field(ALGORITHMS[DEFAULT].title, description="The RL algorithm, as tables and figures call it.")
    benchmarks: list[Name]
    recipes: list[str] = Field(description="Ids of the SFT models the study asks for.")


class AnalysisSettings(Block):
    """Everything the analysis takes from the config."""

    experiment: Name
    title: str
    label: str
    seed: Annotated[int, Field(ge=0)]
    studies: dict[Name, StudySettings]
    analysis: Analysis
    tables: dict[Name, TableSettings]
    figures: dict[Name, FigureSettings]

    @property
    def compared_studies(self) -> list[str]:
        """The studies that predictors are judged on: showcases stand in figures alone, unless there is nothing else."""
        judged = [name for name, study in self.studies.items() if study.level != "showcase"]
        return judged or list(self.studies)

    @classmethod
    def read(cls, path: str | Path) -> "AnalysisSettings":
        """Read analysis.json.

        Raises
        ------
        UserError
            no such file, or one that is not what `snakemake tables` writes.
        """
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; `snakemake tables` writes it") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UserError(f"{path}: {where}: {first['msg']}; `snakemake tables` writes it anew") from None


def analysis_settings(config: Config, sheet: pd.DataFrame, label: str = "") -> AnalysisSettings:
    """The settings of a config; `sheet` is the expanded run sheet (experiment.py), `label` one that goes before the
    config's: that of metrics which were stored by another experiment.
    """
    by_study = sheet.groupby("study", sort=False)
    recipes, algorithms = by_study["recipe"].agg(list), by_study["algorithm"].first()
    return AnalysisSettings(
        experiment=config.experiment,
        title=config.title,
        label=label or config.label,
        seed=config.seed,
        studies={
            name: StudySettings(
                title=study.title,
                level=study.level,
                model=study.model,
                model_title=config.models[study.model].title or study.model,
                sft_dataset=study.sft_dataset,
                rl_dataset=study.rl_dataset,
                algorithm=ALGORITHMS[algorithms[name]].title,
                benchmarks=study.benchmarks,
                recipes=recipes[name],
            )
            for name, study in config.studies.items()
        },
        analysis=config.analysis,
        tables=config.tables,
        figures=config.figures,
    )
