"""The blocks of an experiment's config, typed: what may stand in each, and what it means."""

from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticKnownError

from quagmires.config.algorithms import ALGORITHMS, DEFAULT
from quagmires.config.figure_names import KINDS
from quagmires.config.gold_rules import GOLD_RULES
from quagmires.config.subset_names import rule_patterns
from quagmires.config.task_names import MATH, TASK_NAMES

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Positive = Annotated[int, Field(gt=0)]
Scalar = bool | int | float | str | None
Revision = Annotated[
    str,
    Field(
        pattern=r"^([0-9a-f]{40})?$",
        description="A full commit hash; empty is the newest, which only the expected rows then check.",
    ),
]


def _one_of(names: Collection[str]) -> Callable[[Any], str]:
    """What checks that a value is one of the names there are by then."""

    def known(value: Any) -> str:
        if not (isinstance(value, str) and value in names):
            *others, last = map(repr, names)
            expected = f"{', '.join(others)} or {last}" if others else last
            raise PydanticKnownError("literal_error", {"expected": expected})
        return value

    return known


# Not Literals: the names of rules, tasks, algorithms and figures stand in one place each.
GoldRuleName = Annotated[
    str,
    PlainValidator(_one_of(GOLD_RULES)),
    WithJsonSchema({"enum": list(GOLD_RULES), "title": "Gold", "type": "string"}),
]
TaskName = Annotated[
    str,
    PlainValidator(_one_of(TASK_NAMES)),
    WithJsonSchema({"enum": list(TASK_NAMES), "title": "Task", "type": "string"}),
]
AlgorithmName = Annotated[
    str, PlainValidator(_one_of(ALGORITHMS)), WithJsonSchema({"enum": list(ALGORITHMS), "type": "string"})
]
FigureKind = Annotated[
    str, PlainValidator(_one_of(KINDS)), WithJsonSchema({"enum": list(KINDS), "title": "Kind", "type": "string"})
]


class Block(BaseModel):
    """A block of the config: unknown keys are errors, values are never coerced from text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _either_path_or_hub(block: Any) -> Any:
    if (block.path is None) == (block.hub is None):
        raise ValueError("give either `path` or `hub`, and set the other to null")
    return block


class Prompt(Block):
    """The prompt, the same for SFT, RL and evaluation (paper, Appendix B.3)."""

    instruction: str = Field(description="Appended to the problem after one space, in one user turn.")


class HubModel(Block):
    """A model on the Hugging Face hub."""

    model: str = Field(description="Its id.")
    revision: Revision = ""


class Model(Block):
    """A language model to start from: a local directory or one on the hub."""

    path: str | None = Field(None, description="A Hugging Face model directory.")
    hub: HubModel | None = None
    chat_template: str | None = Field(
        None, description="A Jinja file to use in place of the model's own template, e.g. for a base model."
    )
    chat_template_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="Of the template's text; another one stops the workflow."
    )
    eos_token: str | None = Field(
        None, description="The token that ends a turn of the chat template, where it is not the tokenizer's own."
    )
    parameters: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Their number, from which time limits, memory and disk are estimated."
    )
    title: str = Field("", description="Its name in tables and figures; the key if empty.")
    note: str = Field("", description="How the model came to be; shown in the report.")
    sft: dict[str, Any] = Field(default_factory=dict, description="Laid over the `sft` block for this model.")
    rl: dict[str, Any] = Field(default_factory=dict, description="Laid over the `rl` block for this model.")
    evaluation: dict[str, Any] = Field(default_factory=dict, description="Laid over `evaluation` for this model.")

    @model_validator(mode="after")
    def _one_source(self) -> "Model":
        return _either_path_or_hub(self)


class HubFiles(Block):
    """Files of a data set's repository on the Hugging Face hub."""

    dataset: str = Field(description="Its id.")
    revision: Revision = ""
    files: list[str] = Field(min_length=1, description="Paths or patterns in the repository, e.g. SFT/math/*.jsonl.")


class Pool(Block):
    """A pool of reasoning traces for SFT: local files or files on the hub."""

    path: str | list[str] | None = Field(
        None,
        description=".jsonl, .jsonl.gz, .parquet or .arrow files; patterns such as traces/*.jsonl are read in order.",
    )
    hub: HubFiles | None = None
    rows: Positive = Field(description="The number of rows expected; another number stops the workflow.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description='Our column (id, problem, response) -> the source\'s; `id: "#"` numbers the rows. A list of chat'
        " turns stands for the last user turn as a problem, for the last assistant turn as a response.",
    )
    keep: dict[str, list[str | int | bool]] = Field(
        default_factory=dict,
        description="Column of the source -> values; rows with others are left out. Each value must occur.",
    )
    problem_prefix: str = Field(
        "", description="Removed from the start of problems, where the source put an instruction of its own."
    )
    kept_rows: Positive | None = Field(
        None, description="The rows expected after `keep`; another number stops the workflow. Leave out if not known."
    )
    mean_tokens: Positive = Field(
        4096, description="Mean tokens of an example, from which time limits are estimated before lengths are measured."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "Pool":
        return _either_path_or_hub(self)

    @property
    def usable_rows(self) -> int:
        """The rows that can be trained on, as far as the config knows; an upper limit without `kept_rows`."""
        return self.kept_rows or self.rows


class Hub(Block):
    """A data set on the Hugging Face hub."""

    dataset: str = Field(description="Its id, or a local copy of its repository.")
    config: str | None = Field(None, description="The configuration, where there are several.")
    split: str
    revision: Revision = ""


class ProblemSource(Block):
    """Problems with answers, for RL or evaluation: a local file or a data set on the hub."""

    path: str | None = Field(None, description="A .jsonl, .jsonl.gz or .parquet file.")
    hub: Hub | None = None
    rows: Positive = Field(description="The number of rows expected; another number stops the workflow.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description='Our column name -> the source\'s, where they differ; `id: "#"` numbers the rows.',
    )
    gold: GoldRuleName = Field(
        "text", description="How the right answer is read from the answer column (config/gold_rules.py)."
    )
    task: TaskName = Field(
        MATH,
        description=f"The kind of problems. {'; '.join(f'{name}: {shows}' for name, shows in TASK_NAMES.items())}.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ProblemSource":
        return _either_path_or_hub(self)


class Benchmark(ProblemSource):
    """Problems to evaluate on."""

    in_all: bool = Field(True, description="Whether `quagmires evaluate --benchmarks all` takes it too.")


class Recipe(Block):
    """One SFT model: a subset of the pool and how to train on it. `subset: base` is no SFT at all."""

    subset: str = Field(description=f"base, all, {', '.join(rule_patterns())}, or several joined by `+`.")
    epochs: Annotated[float, Field(gt=0)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    evaluate_at: Annotated[list[Positive], Field(min_length=1)] | None = Field(
        None,
        description="A ladder: one training, whose models after these epochs are SFT models of their own. Rising whole"
        " numbers, the last is `epochs`.",
    )


class Study(Block):
    """One panel of the paper: model x SFT set x RL set x a list of recipes."""

    title: str
    level: Literal["dataset", "instance", "showcase"]
    model: Name
    sft_dataset: Name
    rl_dataset: Name
    benchmarks: list[Name] = Field(min_length=1)
    recipes: list[str | Recipe] = Field(min_length=1)
    calibration: list[str] = Field(
        default_factory=list,
        description="Ids of recipes that `snakemake calibration` takes through RL, for `snakemake predict`.",
    )


class SFTShared(Block):
    """What all SFT runs of a model share and are identified by; training/runs.py adds what each has of its own."""

    global_batch_size: Positive
    per_device_batch_size: Positive
    devices: Positive
    cutoff_tokens: Positive = Field(
        description="Prompt and response together; longer examples are dropped and counted."
    )
    engine: dict[str, Scalar] = Field(default_factory=dict, description="LLaMA-Factory keys laid over `settings`.")


class CommonValidation(Block):
    """Held-out traces of several pools together, on which every SFT model of a language model is measured."""

    # `from` is a word of Python's.
    model_config = ConfigDict(serialize_by_alias=True)

    pools: list[Name] = Field(alias="from", min_length=1, description="The SFT data sets that traces are taken from.")
    examples: Positive = Field(description="Traces of each of them, from those that it holds out for validation.")


class SFT(SFTShared):
    """Supervised fine-tuning (paper, Appendix B.2)."""

    trainer: Name = Field("llamafactory", description="What trains (training/trainers.py).")
    settings: str = Field(description="A LLaMA-Factory YAML; what this block sets is laid over it.")
    learning_rate: Annotated[float, Field(gt=0)]
    epochs: Annotated[float, Field(gt=0)]
    validation_examples: Positive = Field(description="Held out by problem before any selection.")
    validation: CommonValidation | None = Field(
        None, description="A validation set that is the same for all SFT data sets; none if null."
    )
    save_steps: Positive = Field(description="Optimizer steps between checkpoints to resume from.")
    stall_minutes: Annotated[float, Field(gt=0)] = Field(
        description="Without a new step for so long, the job is ended."
    )


class RLShared(Block):
    """What all RL runs of a model share and are identified by; training/runs.py adds what each has of its own."""

    algorithm: AlgorithmName = Field(
        DEFAULT, description=f"{', '.join(f'{name}: {one.title}' for name, one in ALGORITHMS.items())}."
    )
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    batch_size: Positive = Field(description="Problems per step; each is sampled `rollouts` times.")
    rollouts: Annotated[int, Field(gt=1)]
    temperature: Annotated[float, Field(gt=0)]
    kl_coefficient: Annotated[float, Field(ge=0)]
    entropy_coefficient: Annotated[float, Field(ge=0)]
    epochs: Annotated[float, Field(gt=0)]
    max_prompt_tokens: Positive
    max_response_tokens: Positive
    checkpoints: Positive = Field(description="Evenly spaced checkpoints of each run that are evaluated.")
    devices: Positive
    engine: dict[str, Scalar] = Field(default_factory=dict, description="Dotted keys of verl laid over `settings`.")


class RL(RLShared):
    """Reinforcement learning (paper, Appendix B.2)."""

    trainer: Name = Field("verl", description="What trains (training/trainers.py).")
    settings: str = Field(description="A Hydra file on verl's ppo_trainer; what this block sets is laid over it.")
    runs: Positive = Field(description="Independent runs from each SFT model, seeds apart.")
    keep_models: bool = Field(description="Whether evaluated checkpoints stay after they were sampled from.")
    save_steps: Positive = Field(description="Steps between checkpoints to resume from; at most this many are lost.")
    stall_minutes: Annotated[float, Field(gt=0)] = Field(
        description="Without a new step for so long, the job is ended."
    )


class Evaluation(Block):
    """Sampling and grading (paper, Appendix B.3)."""

    temperature: Annotated[float, Field(gt=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive = Field(description="Prompt and response together.")
    samples: Positive = Field(description="Responses per problem before RL (for Pass@large-k).")
    samples_after_rl: Positive = Field(description="Responses per problem of each RL checkpoint.")
    rl_prompts: Positive | None = Field(
        None, description="Prompts of its RL set that each SFT model is sampled on too; with `rl_samples`."
    )
    rl_samples: Positive | None = Field(
        None, description="Responses to each of them; as many as `rl.rollouts` or more, for the share of mixed groups."
    )
    large_k: Positive = Field(description="The k of the Pass@large-k predictor.")
    repetitions_per_shard: Positive
    devices: Positive = Field(1, description="GPUs of the node; vLLM spreads the requests over them.")
    grading_timeout_seconds: Annotated[float, Field(gt=0)]
    engine: dict[str, Scalar] = Field(default_factory=dict, description="Further arguments of vLLM's engine.")
    environment: dict[str, str] = Field(default_factory=dict, description="Environment variables for vLLM.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "Evaluation":
        if (self.rl_prompts is None) != (self.rl_samples is None):
            raise ValueError("give both `rl_prompts` and `rl_samples`, or neither")
        return self


class Cache(Block):
    """Where an engine that samples keeps its compile caches (vLLM, Inductor, Triton): on the node's own disk."""

    directory: str | None = Field(
        None,
        description="Made if it is not there; `$NAME` is a variable of the node. By default that for temporary files,"
        " $TMPDIR or /tmp.",
    )
    keep_days: Annotated[float, Field(ge=0)] = Field(
        7, description="A cache that no engine has used for so long is removed; with 0 each goes with its job."
    )


class Cluster(Block):
    """The nodes that jobs run on, from which jobs' requests are computed. Used for GPUs only."""

    gpu_model: str = Field(description="As SLURM calls it, e.g. a100.")
    cpus_per_gpu: Positive
    memory_gb_per_gpu: Positive = Field(description="Memory of the node for each GPU a job asks for.")
    max_hours: Annotated[float, Field(gt=0)] = Field(
        description="The longest time a job may ask for; what takes longer is cut off and resumes."
    )
    bf16_tflops: Annotated[float, Field(gt=0)] = Field(description="Peak of one GPU.")
    training_utilization: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the peak that training has."
    )
    sampling_utilization: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the peak that sampling has."
    )
    response_tokens: Positive = Field(description="Mean length of sampled responses.")
    margin: Annotated[float, Field(ge=1)] = Field(description="Asked for over estimated time.")


class Analysis(Block):
    """The statistics on finished models (paper, Sections 3 and 4)."""

    splits: Annotated[int, Field(gt=1)] = Field(
        100, description="Random splits into fitted and predicted models; the same for all predictors."
    )
    budgets: list[Annotated[float, Field(gt=0)]] = Field(
        [2e9, 5e9, 2e10], description="Upper bounds, in SFT tokens, of the groups of Tables 8 and 10, in rising order."
    )
    outcome: Literal["best", "last", "mean_of_run_best"] = Field(
        "best", description="Performance after RL over runs and checkpoints; the paper's is the best."
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="Of intervals.")


class TableSettings(Block):
    """One table of how well predictors foretell the outcome after RL, or of the paper's claims."""

    statistic: Literal["spearman", "r2", "spearman_by_budget", "r2_by_fitting_size", "claims"] = Field(
        description="The first two have one row a study, the next two one a budget or a number of fitted models;"
        " claims has one for each claim of the paper and study."
    )
    studies: list[Name] = Field(min_length=1)
    fitting_sizes: list[Positive] = Field(
        default_factory=list, description="Numbers of fitted models; all that can be, if empty."
    )
    predictors: list[Name] = Field(
        default_factory=list, description="Columns; if empty, all predictors that apply at the level of the studies."
    )
    published: Positive | None = Field(None, description="The paper's table whose values stand beside ours.")

    @model_validator(mode="after")
    def _claims_take_studies_alone(self) -> "TableSettings":
        if self.statistic == "claims" and (self.fitting_sizes or self.predictors or self.published):
            raise ValueError("a table of claims takes `studies` alone; remove fitting_sizes, predictors and published")
        return self


class FigureSettings(Block):
    """One figure of SFT models before and after RL; each study is a panel."""

    kind: FigureKind = Field(description=f"{'; '.join(f'{name}: {shows}' for name, shows in KINDS.items())}.")
    studies: list[Name] = Field(min_length=1)
    columns: Literal[1, 2] = Field(2, description="Width in columns of a paper.")


class Costs(Block):
    """What `snakemake plan` counts with."""

    price_per_gpu_hour: Annotated[float, Field(ge=0)] = 2.0
    currency: str = "USD"
    gpus: Positive = Field(64, description="That run at the same time, for the wall time.")
    max_gpu_hours: Annotated[float, Field(gt=0)] | None = Field(
        None, description="An experiment whose plan asks for more is refused."
    )
    throughput: str = Field(
        "config/throughput.yaml", description="Tokens a second for each model, GPU and stage, where known."
    )


class WalkWorld(Block):
    """The demo's generated problems and traces, and its tiny base model."""

    moves: Annotated[int, Field(ge=5, le=1000)] = Field(
        description="Named moves, most of them rare in the base's training."
    )
    sft_problems: Positive
    rl_problems: Positive
    benchmark_problems: Positive
    base_examples: Positive = Field(description="Examples that the base model is pre-trained on.")
    base_epochs: Annotated[float, Field(gt=0)]
    base_learning_rate: Annotated[float, Field(gt=0)]
    base_batch_size: Positive
    base_settings: str = Field(description="A LLaMA-Factory YAML for the base's pre-training.")
    careful_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of solutions that walk there in the base's pre-training data; the rest are guesses."
    )
    hidden_size: Positive
    layers: Positive


class Config(Block):
    """A whole experiment."""

    experiment: Name
    title: str
    label: str = Field("", description="Shown on every table and figure, e.g. that the model is a toy.")
    seed: Annotated[int, Field(ge=0)]
    accelerator: Literal["cpu", "cuda"]
    prompt: Prompt
    models: dict[Name, Model] = Field(min_length=1)
    sft_datasets: dict[Name, Pool] = Field(min_length=1)
    rl_datasets: dict[Name, ProblemSource] = Field(min_length=1)
    benchmarks: dict[Name, Benchmark] = Field(min_length=1)
    studies: dict[Name, Study] = Field(min_length=1)
    sft: SFT
    rl: RL
    evaluation: Evaluation
    cluster: Cluster
    cache: Cache = Cache()
    analysis: Analysis = Analysis()
    tables: dict[Name, TableSettings] = Field(default_factory=dict)
    figures: dict[Name, FigureSettings] = Field(default_factory=dict)
    costs: Costs = Costs()
    walk_world: WalkWorld | None = None
