"""The examples of docs/adding.md are planned, and the mistakes it lists are met with the lines it shows."""

import json
import re

import pytest
import yaml

from quagmires.config.loading import laid_over
from support import ROOT, planned, script, snakemake

EXAMPLES = ROOT / "config" / "examples"
QWEN = "models__qwen25-1b__"
# The mistake as the table calls it -> the example it is made in, and the change that makes it.
MISTAKES = {
    "a misspelt key": ("new_model", {"sft__learning_rat": 1e-5}),
    "a number in quotes": ("new_model", {"rl__rollouts": "16"}),
    "both sources, or none": ("new_model", {QWEN + "path": "model"}),
    "a branch in place of a commit": ("new_model", {QWEN + "hub__revision": "main"}),
    "a name that is nowhere defined": ("new_model", {"studies__qwen__sft_dataset": "aceraeson"}),
    "a subset larger than its pool": ("new_model", {"studies__qwen__recipes": ["random-9m"]}),
    "a subset that does not exist": ("new_model", {"studies__qwen__recipes": ["median-10k"]}),
    "a recipe twice, in another spelling": ("new_model", {"studies__qwen__recipes": ["random-10k", "random-10000"]}),
    "a ladder that does not end with the training": (
        "new_model",
        {"studies__qwen__recipes": ["base", {"subset": "random-10k", "epochs": 4, "evaluate_at": [1, 2]}]},
    ),
    "a batch that does not divide": ("new_model", {"sft__global_batch_size": 100}),
    "a file that is not there": ("new_pool", {"sft_datasets__ours__path": "traces.jsonl"}),
    "a model without a chat template": ("new_model", {QWEN + "hub": None, QWEN + "path": "{tmp_path}"}),
    "a template that has changed": (
        "new_model",
        {QWEN + "chat_template": "config/templates/chatml.jinja", QWEN + "chat_template_sha256": "0" * 64},
    ),
}
# The same of what only the data shows.
DATA_MISTAKES = {
    "a wrong number of rows": {"rows": 25},
    "a wrong column": {"columns": {"id": "uuid", "problem": "question", "response": "answer"}},
    "a value that is nowhere": {"keep": {"verified": ["yes"]}},
}


def documented() -> dict[str, str]:
    """Mistake -> message, from the tables of docs/adding.md."""
    text = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    tables = text.partition("## Mistakes")[2]
    return {
        mistake: message
        for mistake, message in re.findall(r"^\| (.+?) \| (.+) \|$", tables, re.MULTILINE)
        if message != "message" and "---" not in message
    }


def test_every_documented_mistake_is_tested():
    assert set(documented()) == {*MISTAKES, *DATA_MISTAKES}
    assert len(MISTAKES) >= 10


@pytest.mark.parametrize(
    ("example", "jobs"),
    [
        ("new_model", {"download": 2, "sft": 3, "rl": 16, "samples": 4, "rl_samples": 16}),
        ("new_pool", {"download": 1, "pool": 1, "sft": 4, "rl": 20}),
        ("new_benchmark", {"benchmark_problems": 2, "sft": 2, "samples": 3, "rl_samples": 12}),
    ],
)
def test_an_example_is_planned(example, jobs):
    found = planned(snakemake("-n", "-q", "rules", "--configfile", EXAMPLES / f"{example}.yaml").stdout)
    assert jobs.items() <= found.items()


def test_a_new_model_is_fifteen_lines():
    assert len((EXAMPLES / "new_model.yaml").read_text().splitlines()) <= 15


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake, tmp_path):
    example, changes = MISTAKES[mistake]
    config = yaml.safe_load((EXAMPLES / f"{example}.yaml").read_text())
    for path, value in changes.items():
        for key in reversed(path.split("__")):
            value = {key: value}
        config = laid_over(config, value)
    text = yaml.safe_dump(config).replace("{tmp_path}", str(tmp_path))
    (tmp_path / "experiment.yaml").write_text(text)
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("{}")
    error = refusal(tmp_path / "experiment.yaml")
    assert "\n" not in error
    assert documented()[mistake] in error


def refusal(experiment) -> str:
    """What the checks before any job say about an experiment laid over base.yaml; what Snakemake prints then."""
    from quagmires.common.errors import UserError
    from quagmires.config.loading import Files, parse
    from quagmires.planning.preflight import checked_experiment
    from quagmires.simulation.walks import made_files

    files = Files([ROOT / "config" / "base.yaml", experiment])
    with pytest.raises(UserError) as caught:
        config = parse(files.merged(), files)
        checked_experiment(config, files, made_files(config))
    return str(caught.value)


@pytest.mark.parametrize("mistake", DATA_MISTAKES)
def test_a_mistake_about_the_data_is_one_line(mistake, tmp_path):
    pool = yaml.safe_load((EXAMPLES / "new_pool.yaml").read_text())["sft_datasets"]["ours"] | DATA_MISTAKES[mistake]
    result = script(
        "prepare_pool.py", "--name", "ours", "--files", pool["path"], "--columns", json.dumps(pool["columns"]),
        "--keep", json.dumps(pool["keep"]), "--rows", pool["rows"], "--kept-rows", pool["kept_rows"],
        "--output", tmp_path / "pool.parquet", "--manifest", tmp_path / "pool.json", check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert documented()[mistake] in result.stderr
    assert list(tmp_path.iterdir()) == []
