"""Captions of figures and tables: texts of one file, config/captions.yaml, filled with the settings of the analysis."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from quagmires.common import installation
from quagmires.common.errors import UserError
from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.loading import load_yaml
from quagmires.config.subset_names import BASE

CAPTIONS = installation.shipped("config/captions.yaml")
PARTS = ("names", "phrases", "figures", "tables")
OUTCOMES = {
    "best": "best of all runs and checkpoints",
    "last": "mean over runs of the last checkpoint",
    "mean_of_run_best": "mean over runs of the best checkpoint",
}


def figure_caption(name: str, settings: AnalysisSettings, path: Path = CAPTIONS) -> str:
    """The caption of a figure, by its name or else its kind.

    Raises
    ------
    UserError
        there is no caption, or it has an unknown placeholder.
    """
    block = settings.figures.get(name)
    return _caption("figures", name, block.kind if block else None, block.studies if block else None, settings, path)


def table_caption(name: str, settings: AnalysisSettings, path: Path = CAPTIONS) -> str:
    """The caption of a table, by its name or else its statistic; raises as `figure_caption`."""
    block = settings.tables.get(name)
    return _caption(
        "tables", name, block.statistic if block else None, block.studies if block else None, settings, path
    )


def _caption(
    part: str, name: str, kind: str | None, studies: Sequence[str] | None, settings: AnalysisSettings, path: Path
) -> str:
    texts = _read(path)
    key = next((key for key in (name, kind) if key in texts[part]), None)
    if key is None:
        raise UserError(f"{path}: no caption for {name}; add {part}.{kind or name}")
    shown = [settings.studies[study] for study in studies or settings.compared_studies]
    values = _values(shown, settings, texts["names"])
    # Phrases may use those above them.
    for phrase, text in texts["phrases"].items():
        values[phrase] = _filled(text, values, f"{path}: phrases.{phrase}")
    caption = _filled(texts[part][key], values, f"{path}: {part}.{key}")
    label = settings.label.strip().rstrip(".")
    return f"{caption} {label[:1].upper()}{label[1:]}." if label else caption


def _read(path: Path) -> dict[str, dict[str, str]]:
    # A report asks for dozens; a file that was written meanwhile is read again.
    return _read_texts(path, path.stat().st_mtime_ns if path.is_file() else 0)


@functools.cache
def _read_texts(path: Path, modified: int) -> dict[str, dict[str, str]]:
    content = load_yaml(path) or {}
    if not isinstance(content, dict) or not set(content) <= set(PARTS):
        raise UserError(f"{path}: it has parts other than {', '.join(PARTS)}")
    texts = {part: content.get(part) or {} for part in PARTS}
    for part, entries in texts.items():
        if not isinstance(entries, dict) or not all(isinstance(text, str) for text in entries.values()):
            raise UserError(f"{path}: {part}: must be names with a text each")
    return texts


def _values(studies: Sequence[StudySettings], settings: AnalysisSettings, names: dict[str, str]) -> dict[str, str]:
    benchmarks = {tuple(study.benchmarks) for study in studies}
    return {
        "experiment": settings.title,
        "model": _listed(study.model_title for study in studies),
        "sft_dataset": _listed(names.get(study.sft_dataset, study.sft_dataset) for study in studies),
        "rl_dataset": _listed(names.get(study.rl_dataset, study.rl_dataset) for study in studies),
        "algorithm": _listed(study.algorithm for study in studies),
        "scores": _listed(_scores(group, names) for group in sorted(benchmarks)),
        "n": _listed((str(sum(recipe != BASE for recipe in study.recipes)) for study in studies), repeat=True),
        "outcome": OUTCOMES[settings.analysis.outcome],
        "confidence": f"{100 * settings.analysis.confidence:g}",
        "splits": f"{settings.analysis.splits:,}",
    }


def _scores(benchmarks: Sequence[str], names: dict[str, str]) -> str:
    if len(benchmarks) == 1:
        return f"Pass@1 on {names.get(benchmarks[0], benchmarks[0])}"
    return f"Pass@1 averaged over {len(benchmarks)} benchmarks"


def _listed(words: Iterable[str], repeat: bool = False) -> str:
    """`a, b and c`; each once unless `repeat`."""
    words = list(words) if repeat else list(dict.fromkeys(words))
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _filled(text: str, values: dict[str, str], where: str) -> str:
    try:
        return text.format_map(values)
    except KeyError as error:
        raise UserError(f"{where}: unknown placeholder {{{error.args[0]}}}; there are {', '.join(values)}") from None
    except (ValueError, IndexError, AttributeError) as error:
        raise UserError(
            f"{where}: {error}; a placeholder is a name in braces, braces of the text are doubled"
        ) from None
