"""Every job that an experiment stands for, once, with its expected work and disk; nothing need have run.

Counted are the cluster's jobs, not the local rules (downloads, environments, scores, tables), and not the demo's own
base model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from quagmires.config.experiment import COMMON, Checkpoint, Experiment, RLRun, SFTRun
from quagmires.config.subset_names import BASE
from quagmires.planning import resources
from quagmires.planning.resources import Work
from quagmires.planning.throughput import Throughput

# In the order they run; the data and grading jobs take processors only.
STAGES = {
    "data": "data, models",
    "sft": "SFT",
    "loss": "generalization loss",
    "samples_before": "sampling before RL",
    "grpo": "GRPO",
    "samples_after": "sampling after RL",
    "grade": "grading",
}


# As the rules have it: RL is what takes longest, and everything waits for it.
PRIORITIES = {"grpo": 10}

# Bytes on disk. Weights are bfloat16 on a GPU, float32 on a CPU.
_WEIGHT_BYTES = {"cuda": 2, "cpu": 4}
# Of a parameter, while a job runs (docs/engines.md): SFT has two checkpoints of 16, one being written; RL two of 12,
# and float32 weights of each wanted checkpoint before.
_SFT_STATE, _RL_STATE, _RL_WANTED = 32, 24, 4
# Of a token as text, and in a zstd-compressed Parquet column. On 1,200 real traces with a tokenizer of 49,000 tokens
# 2.2 to 2.6, and 0.6 to 0.7; those of the paper's models have longer tokens.
_TEXT_BYTES, _COMPRESSED_BYTES = 3.0, 0.8
# Of a graded response (grade.py leaves the text out), measured on the demo.
_GRADE_BYTES = 7
_ENGINES_WITH_PROMPTS = 3


def stage_titles(experiment: Experiment) -> dict[str, str]:
    """What tables call the stages: RL by the name of its algorithm."""
    return {**STAGES, "grpo": experiment.algorithm_title}


@dataclass
class Job:
    """One job. Of its bytes `disk` stay, `temporary` are there while it runs, and `until_sampled` from its end until
    the last job that samples from it is done.
    """

    name: str
    stage: str
    model: str
    disk: float
    temporary: float = 0.0
    until_sampled: float = 0.0
    work: Work | None = None
    steps: int = 0
    responses: int = 0
    after: tuple[str, ...] = ()
    # The checkpoints that a sampling job draws responses of.
    samples_of: tuple[str, ...] = ()
    # A download is on a disk but in no queue.
    in_queue: bool = True
    # The first is the one that pays.
    studies: list[str] = field(default_factory=list)

    @property
    def study(self) -> str:
        return self.studies[0]

    @property
    def tokens(self) -> float:
        return self.work.tokens if self.work else 0.0

    @property
    def hours(self) -> float:
        return self.work.hours if self.work else 0.0

    @property
    def devices(self) -> int:
        return self.work.devices if self.work else 0

    @property
    def device_hours(self) -> float:
        return self.work.device_hours if self.work else 0.0


def planned_jobs(experiment: Experiment, speeds: Throughput) -> list[Job]:
    """All jobs, each once and after those it waits for; a job of several studies names them in the config's order."""
    found: dict[str, Job] = {}
    planner = _Planner(experiment, speeds)
    for row in experiment.sheet.to_dict("records"):
        run = experiment.sft_runs[f"{row['model']}/{row['recipe']}/sft"]
        for job in planner.model_jobs(run, row["sft_dataset"], row["rl_dataset"]):
            studies = found.setdefault(job.name, job).studies
            if row["study"] not in studies:
                studies.append(row["study"])
    return list(found.values())


@dataclass(frozen=True)
class _Planner:
    experiment: Experiment
    speeds: Throughput

    def model_jobs(self, run: SFTRun, sft_dataset: str, rl_dataset: str) -> Iterator[Job]:
        """What one row of the run sheet needs, data first."""
        yield from self._data(run, sft_dataset, rl_dataset)
        # The models of a ladder share one training.
        training = run.training
        if run.subset != BASE:
            models = len(self.experiment.rungs(run)) or 1
            work = resources.sft_work(training, self.experiment, self.speeds)
            disk, state = models * self._size(run), self._state(run, _SFT_STATE)
            yield Job(training.checkpoint, "sft", run.model, disk, state, work=work)
        trained = (training.checkpoint,) if run.subset != BASE else ()
        for dataset in (sft_dataset, *([COMMON] if self.experiment.sft[run.model].validation else [])):
            work = resources.loss_work(run, dataset, self.experiment, self.speeds)
            yield Job(f"{run.checkpoint}/loss.{dataset}", "loss", run.model, 0.0, work=work, after=trained)
        checkpoint = self.experiment.checkpoints[run.checkpoint]
        work = resources.samples_work(checkpoint, self.experiment, self.speeds)
        yield from self._evaluation(run.checkpoint, "samples_before", [checkpoint], work, trained)
        for number in range(1, self.experiment.rl[run.model].runs + 1):
            yield from self._rl(RLRun(run, self.experiment.rl[run.model].algorithm, rl_dataset, number), trained)

    def _data(self, run: SFTRun, sft_dataset: str, rl_dataset: str) -> Iterator[Job]:
        pool, model = self.experiment.config.sft_datasets[sft_dataset], run.model
        yield Job(f"data/models/{model}", "data", model, self._size(run), in_queue=False)
        yield from self._pool(sft_dataset, model)
        for number in range(_ENGINES_WITH_PROMPTS):
            yield Job(f"data/prompts/{model}.{number}", "data", model, 0.0)
        for name in (f"sft.{sft_dataset}", f"rl.{rl_dataset}"):
            yield Job(f"data/contamination/{name}", "data", "", 0.0)
        held_out = self.experiment.sft[model].validation_examples * pool.mean_tokens
        yield Job(f"data/sft/{sft_dataset}/{model}/validation", "data", model, _TEXT_BYTES * held_out)
        if run.subset != BASE:
            chosen = resources.sft_tokens(run, self.experiment) / run.epochs
            yield Job(f"data/sft/{sft_dataset}/{model}/{run.subset}", "data", model, _TEXT_BYTES * chosen)
        if self.experiment.sft[model].validation:
            for name in self.experiment.pools(model):
                yield from self._pool(name, model)
            in_common = resources.loss_tokens(model, COMMON, self.experiment)
            yield Job(f"data/sft/{COMMON}/{model}/validation", "data", model, _TEXT_BYTES * in_common)

    def _pool(self, name: str, model: str) -> Iterator[Job]:
        pool = self.experiment.config.sft_datasets[name]
        tokens = pool.usable_rows * pool.mean_tokens
        # What was downloaded holds the rows that are not kept too.
        downloaded = _TEXT_BYTES * pool.rows * pool.mean_tokens if pool.hub else 0.0
        yield Job(f"data/sft/{name}/pool", "data", "", downloaded + _COMPRESSED_BYTES * tokens)
        yield Job(f"data/sft/{name}/{model}/lengths", "data", model, 0.0)

    def _rl(self, run: RLRun, after: tuple[str, ...]) -> Iterator[Job]:
        settings, size = self.experiment.rl[run.sft.model], self._size(run.sft)
        merged = settings.checkpoints * size
        kept, gone = (merged, 0.0) if settings.keep_models else (0.0, merged)
        state = self._state(run.sft, _RL_STATE + _RL_WANTED * (settings.checkpoints - 1))
        work = resources.rl_work(run, self.experiment, self.speeds)
        steps = resources.rl_steps(run, self.experiment)
        rollouts = steps * settings.batch_size * settings.rollouts
        yield Job(run.path, "grpo", run.sft.model, kept, state, gone, work, steps, rollouts, after=after)
        checkpoints = resources.rl_checkpoints(run, self.experiment)
        work = resources.rl_samples_work(run, self.experiment, self.speeds)
        yield from self._evaluation(run.path, "samples_after", checkpoints, work, (run.path,))

    def _evaluation(
        self, path: str, stage: str, checkpoints: list[Checkpoint], work: Work, after: tuple[str, ...]
    ) -> Iterator[Job]:
        """One job samples from all checkpoints; each is graded by its own."""
        counts = [resources.responses(one, self.experiment) for one in checkpoints]
        samples, model, paths = f"{path}/samples", checkpoints[0].model, tuple(one.path for one in checkpoints)
        disk = _COMPRESSED_BYTES * work.tokens
        yield Job(samples, stage, model, disk, work=work, responses=sum(counts), after=after, samples_of=paths)
        for one, count in zip(paths, counts, strict=True):
            yield Job(f"{one}/grades", "grade", model, _GRADE_BYTES * count, after=(samples,))

    def _size(self, run: SFTRun) -> float:
        return _WEIGHT_BYTES[self.speeds.accelerator] * self.speeds.size(run.model)

    def _state(self, run: SFTRun, bytes_of_a_parameter: float) -> float:
        return bytes_of_a_parameter * self.speeds.size(run.model)
