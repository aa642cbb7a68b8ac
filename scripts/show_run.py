"""Show what an engine would be given for one run: LLaMA-Factory's YAML for SFT, verl's Hydra overrides for RL.

    python scripts/show_run.py config/paper.yaml --run llama3-8b-instruct/llama-nemotron.random-10k.ep1.lr1e-5

Nothing is run, and no model or data need be there.
"""

import argparse
from pathlib import Path

import yaml

from quagmires.common import installation
from quagmires.common.errors import UserError, command_line
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.experiment import Experiment, RLRun, SFTRun, expand
from quagmires.config.loading import Files, parse
from quagmires.planning import resources
from quagmires.planning.preflight import check_engine_files, check_numbers
from quagmires.training import runs as run_settings
from quagmires.training.llamafactory import settings as sft
from quagmires.training.verl import settings as verl

BASE = installation.shipped("config/base.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configfiles", type=Path, nargs="+", help="laid over config/base.yaml in this order")
    parser.add_argument("--run", help="<model>/<recipe>; without it the runs are listed")
    options = parser.parse_args()

    files = Files([BASE, *options.configfiles])
    experiment = expand(parse(files.merged(), files), files)
    check_engine_files(experiment, files)
    check_numbers(experiment, files)
    runs = {f"{run.model}/{run.recipe}": run for run in experiment.sft_runs.values()}
    if options.run is None:
        print("\n".join(runs))
        return
    if options.run not in runs:
        raise UserError(f"--run: no run {options.run!r}; without --run they are listed")
    run = runs[options.run]
    if run.recipe != "base":
        print(f"# SFT, LLaMA-Factory\n{sft_yaml(run, experiment)}")
    for other in experiment.rl_runs.values():
        if other.sft == run and other.number == 1:
            title, file = ALGORITHMS[other.algorithm].title, experiment.rl[run.model].settings
            print(f"# {title} on {other.rl_dataset}, run 1, verl on {file}")
            print("\n".join(rl_overrides(other, experiment)))


def sft_yaml(run: SFTRun, experiment: Experiment) -> str:
    """The YAML that train_sft.py writes for a run, with paths from the repository's root, and what its job asks for."""
    block = experiment.sft[run.model]
    settings = sft.with_engine(sft.read_settings(block.settings), block.engine)
    folder = f"{experiment.root}/{run.model}/{run.recipe}/sft"
    model = f"{experiment.root}/data/models/{run.model}"
    given = run_settings.sft_settings(run, experiment)
    complete = sft.complete_settings(settings, given, model, Path(folder) / "work", block.save_steps)
    request = resources.sft_request(run, experiment)
    return _relative(f"# {request}\n" + yaml.safe_dump(complete, sort_keys=False))


def rl_overrides(run: RLRun, experiment: Experiment) -> list[str]:
    """The Hydra overrides that train_rl.py hands to verl at the start of a run, and what its job asks for."""
    block = experiment.rl[run.sft.model]
    problems = experiment.config.rl_datasets[run.rl_dataset].rows
    steps = verl.checkpoint_steps(verl.total_steps(problems, block.batch_size, block.epochs), block.checkpoints)
    model = Path(experiment.root) / run.sft.checkpoint / "model"
    data = Path(experiment.root) / "data" / "rl" / run.rl_dataset / f"{run.sft.model}.parquet"
    checkpoints, reward = (
        Path(experiment.root) / run.path / "work" / "checkpoints",
        Path("scripts/quagmires/grading/reward.py"),
    )
    lines = verl.overrides(
        run_settings.rl_settings(run, experiment), model, data, checkpoints, reward, problems,
        verl.save_steps(steps, block.save_steps),
    )  # fmt: skip
    return [f"# {resources.rl_request(run, experiment)}", *map(_relative, lines)]


def _relative(text: str) -> str:
    """Paths as from the repository's root."""
    return text.replace(f"{Path.cwd()}/", "")


if __name__ == "__main__":
    command_line(main)
