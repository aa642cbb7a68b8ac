import copy
from pathlib import Path

import pytest
import yaml

from quagmires.common.errors import UserError
from quagmires.config.experiment import expand, short_float
from quagmires.config.loading import Files, laid_over, parse
from quagmires.planning.preflight import checked_experiment
from quagmires.planning.resources import responses
from quagmires.simulation.walks import made_files
from support import ROOT, script


def merged(name: str = "demo") -> dict:
    """base.yaml with an experiment laid over it, as Snakemake merges them."""
    return laid_over(*(yaml.safe_load((ROOT / "config" / f"{part}.yaml").read_text()) for part in ("base", name)))


def checked(config: dict, files: Files):
    """The experiment of a config that passed every check."""
    parsed = parse(config, files)
    return checked_experiment(parsed, files, made_files(parsed))


@pytest.fixture
def files() -> Files:
    return Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])


def change(config: dict, path: str, value) -> dict:
    """A copy of `config` with the value at a dotted path replaced."""
    changed = copy.deepcopy(config)
    *parents, last = path.split(".")
    block = changed
    for key in parents:
        block = block[key]
    block[last] = value
    return changed


def test_the_old_name_of_the_rl_block_is_read(tmp_path, monkeypatch):
    """`grpo` in a config that is laid over base.yaml, and in one of its models."""
    monkeypatch.chdir(ROOT)
    old = tmp_path / "old.yaml"
    changes = {"grpo": {"runs": 3}, "models": {"toy": {"grpo": {"batch_size": 16}}}}
    old.write_text(yaml.safe_dump(changes))
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml", old])
    config = laid_over(merged(), changes)
    experiment = checked(config, files)
    assert (experiment.config.rl.runs, experiment.rl["toy"].batch_size) == (3, 16)
    assert "toy/base/grpo/goals/run3" in experiment.rl_runs
    changes["grpo"]["runs"] = "three"
    old.write_text(yaml.safe_dump(changes))
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml", old])
    with pytest.raises(UserError, match="old.yaml: grpo.runs: input should be a valid integer; found 'three'"):
        checked(laid_over(merged(), changes), files)


def in_files(folder: Path, *contents: dict) -> tuple[dict, Files]:
    """Config files laid over the demo as Snakemake does, old names and all."""
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number}.yaml")
        paths[-1].write_text(yaml.safe_dump(content))
    config = merged()
    for content in contents:
        config = laid_over(config, content)
    return config, Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml", *paths])


def test_of_files_with_the_old_and_the_new_name_the_later_one_counts(tmp_path):
    old, new = {"grpo": {"runs": 3, "devices": 2}}, {"rl": {"runs": 5}}
    for contents, runs in (((old, new), 5), ((new, old), 3)):
        config, files = in_files(tmp_path, *contents)
        parsed = parse(config, files)
        assert (parsed.rl.runs, parsed.rl.devices) == (runs, 2)
        assert parsed == parse(files.merged(), files)
    own = {"models": {"toy": {"grpo": {"batch_size": 16}}}}, {"models": {"toy": {"rl": {"batch_size": 8}}}}
    assert expand(parse(*in_files(tmp_path, *own)), files).rl["toy"].batch_size == 8


def test_the_command_line_counts_over_files_by_either_name(tmp_path):
    config, files = in_files(tmp_path, {"grpo": {"runs": 3, "devices": 2}}, {"rl": {"runs": 5}})
    for given in ({"rl": {"runs": 7}}, {"grpo": {"runs": 7}}):
        parsed = parse(laid_over(config, given), files)
        assert (parsed.rl.runs, parsed.rl.devices) == (7, 2)


def test_a_file_with_both_names_is_refused(tmp_path):
    with pytest.raises(UserError, match="0.yaml: grpo: the old name of `rl`, which is there too; make them one"):
        in_files(tmp_path, {"grpo": {"runs": 3}, "rl": {"runs": 5}})
    with pytest.raises(UserError, match="0.yaml: models.toy.grpo: the old name of `rl`, which is there too"):
        in_files(tmp_path, {"models": {"toy": {"grpo": {"runs": 3}, "rl": {"runs": 5}}}})


@pytest.mark.parametrize("name", ["demo", "demo_small"])
def test_shipped_configs_are_valid(name, files, monkeypatch):
    monkeypatch.chdir(ROOT)
    experiment = checked(merged(name), files)
    assert len(experiment.sheet) == len(experiment.config.studies["toy"].recipes)


def test_demo_has_the_recipes_it_promises(files):
    config = parse(merged(), files)
    sheet = expand(config, files).sheet.set_index("subset")
    # Sizes and epochs of one distribution, the shortest and the longest of it, and a mixture.
    epochs = {subset: sorted(sheet.loc[[subset], "epochs"]) for subset in sheet.index}
    assert epochs == {
        "base": [0],
        "random-250": [1, 8],
        "random-1k": [1, 4],
        "random-4k": [1],
        "shortest-1k": [1, 4],
        "longest-1k": [1],
        "longest-500+shortest-500": [1],
    }
    assert (config.rl.runs, config.rl.checkpoints) == (1, 3)
    assert config.rl.rollouts == 16
    assert config.rl.kl_coefficient == 0
    assert config.rl.entropy_coefficient == 0.001
    assert config.evaluation.samples == 64


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sft.learning_rat", 1e-5, "config/demo.yaml: sft.learning_rat: unknown key; did you mean `learning_rate`?"),
        ("rl.rollouts", "sixteen", "rollouts: input should be a valid integer; found 'sixteen'"),
        ("rl.rollouts", 1, "rollouts: input should be greater than 1; found 1"),
        (
            "experiment",
            "My Demo",
            "experiment: use lower-case letters, digits, hyphens and underscores only; found 'My Demo'",
        ),
        ("accelerator", "tpu", "accelerator: input should be 'cpu' or 'cuda'; found 'tpu'"),
        ("studies.toy.levl", "x", "studies.toy.levl: unknown key; did you mean `level`?"),
    ],
)
def test_a_mistake_is_one_line_with_file_and_key(path, value, message, files):
    with pytest.raises(UserError) as caught:
        parse(change(merged(), path, value), files)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_in_a_recipe_is_found(files):
    config = change(merged(), "studies.toy.recipes", ["base", {"subset": "random-5", "epoch": 2}])
    with pytest.raises(UserError, match=r"studies\.toy\.recipes\[1\]\.epoch: unknown key; did you mean `epochs`"):
        parse(config, files)


def test_a_missing_key_is_named(files):
    config = merged()
    del config["experiment"]
    with pytest.raises(UserError, match="experiment: missing; add it"):
        parse(config, files)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "studies.toy.benchmarks",
            ["easy", "aime"],
            r"studies\.toy\.benchmarks\[1\]: unknown benchmark 'aime'; `benchmarks` has math500, .*, hard",
        ),
        ("studies.toy.model", "llama", "studies.toy.model: unknown model 'llama'"),
        (
            "studies.toy.recipes",
            ["random-5k"],
            r"recipes\[0\]: random-5k asks for 5000 examples, but walks has 4200",
        ),
        ("studies.toy.recipes", ["longst-5"], r"recipes\[0\]: unknown subset 'longst-5'"),
        ("sft.global_batch_size", 33, r"demo.yaml: sft.global_batch_size: .* 33 is not a multiple"),
        ("rl.batch_size", 600, r"demo.yaml: rl: rl.batch_size 600 is larger than the RL set \(576 problems\)"),
        ("rl.checkpoints", 19, "rl.checkpoints 19 is more than the 18 steps"),
        ("evaluation.rl_prompts", 16, "evaluation: .*give both `rl_prompts` and `rl_samples`, or neither"),
        ("evaluation.large_k", 128, "evaluation.large_k: 128 is not a power of two up to evaluation.samples"),
        ("experiment", "downloads", "experiment: results/downloads is a folder of its own; choose another name"),
        ("studies.toy.recipes", ["base", "base"], r"recipes\[1\]: recipe base occurs twice"),
        (
            "studies.toy.recipes",
            ["random-1000", "random-1k"],
            r"recipes\[1\]: walks.random-1k.ep1.lr1e-3 is walks.random-1000.ep1.lr1e-3 in another spelling",
        ),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(path, value, message, files, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=message):
        checked(change(merged(), path, value), files)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("tables.r2.studies", ["tiy"], "tables.r2.studies[0]: unknown study 'tiy'; `studies` has toy"),
        ("figures.linear_fit.studies", ["tiy"], "figures.linear_fit.studies[0]: unknown study 'tiy'"),
        ("tables.r2.predictors", ["pass_at_2"], "unknown predictor 'pass_at_2'; `prediction/predictors.py` has "),
        ("studies.toy.calibration", ["random-500"], "studies.toy.calibration[0]: unknown recipe 'random-500'; "),
        ("analysis.budgets", [5e9, 2e9], "analysis.budgets: [5000000000.0, 2000000000.0] must rise"),
        ("figures.linear_fit.kind", "lines", "figures.linear_fit.kind: "),
        # Ten models, two of them left to be predicted.
        ("tables.r2.fitting_sizes", [3, 9], "fitting_sizes[1]: 9 cannot be fitted: its largest study allows 2 to 8"),
    ],
)
def test_a_table_or_figure_of_what_there_is_not_is_refused(path, value, message, files):
    with pytest.raises(UserError) as error:
        checked(change(merged(), path, value), files)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_rl_prompts_are_of_the_rl_sets_of_the_models_that_are_trained(files, monkeypatch):
    """A model in studies with two RL sets is sampled on both; RL checkpoints, and models without it, on none."""
    monkeypatch.chdir(ROOT)
    config = merged()
    config["evaluation"] |= {"rl_prompts": 64, "rl_samples": 8}
    config["models"]["other"] = {**config["models"]["toy"], "evaluation": {"rl_prompts": None, "rl_samples": None}}
    config["rl_datasets"]["more"] = config["rl_datasets"]["goals"]
    config["studies"]["more"] = {**config["studies"]["toy"], "rl_dataset": "more", "recipes": ["base"]}
    config["studies"]["other"] = {**config["studies"]["toy"], "model": "other"}
    experiment = checked(config, files)
    rl_sets = {path: one.rl_sets for path, one in experiment.checkpoints.items() if one.rl_sets}
    assert rl_sets.pop("toy/base/sft") == ["goals", "more"]
    assert set(map(tuple, rl_sets.values())) == {("goals",)}
    assert all(path.startswith("toy/") and path.endswith("/sft") for path in rl_sets)
    base = experiment.checkpoints["toy/base/sft"]
    rows = sum(experiment.config.benchmarks[name].rows for name in base.benchmarks)
    assert responses(base, experiment) == base.samples * rows + 2 * 64 * 8
    config["evaluation"]["rl_prompts"] = 577
    with pytest.raises(
        UserError, match="demo.yaml: evaluation.rl_prompts: 577 is more than the 576 problems of RL set"
    ):
        checked(config, files)


def test_stored_metrics_need_no_data(files, tmp_path, monkeypatch):
    """On a laptop with metrics.parquet alone nothing else is read; once there is data, it must be all there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(ROOT / "config")
    elsewhere = change(merged(), "benchmarks.easy.path", "nowhere.jsonl")
    results = tmp_path / "results" / "demo"
    results.mkdir(parents=True)
    with pytest.raises(UserError, match="no such file: nowhere.jsonl"):
        checked(elsewhere, files)
    (results / "metrics.parquet").touch()
    assert len(checked(elsewhere, files).sft_runs) == 10
    (results / "data").mkdir()
    with pytest.raises(UserError, match="no such file: nowhere.jsonl"):
        checked(elsewhere, files)


def test_files_that_no_rule_makes_must_exist(files, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match="benchmarks.easy.path: no such file: nowhere.jsonl"):
        checked(change(merged(), "benchmarks.easy.path", "nowhere.jsonl"), files)
    with pytest.raises(UserError, match=r"sft_datasets.walks.path: no such file: none/\*.jsonl"):
        checked(change(merged(), "sft_datasets.walks.path", ["none/*.jsonl"]), files)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="models.toy.path: .* has no chat template; save one as"):
        checked(change(merged(), "models.toy.path", str(tmp_path)), files)
    checked(change(merged(), "models.toy", {"path": str(tmp_path), "chat_template": "config/sft.yaml"}), files)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"sft": {"learning_rat": 1}}, "models.toy.sft.learning_rat: unknown key; did you mean `learning_rate`?"),
        ({"sft": {"devices": 2.5}}, "models.toy.sft.devices: input should be a valid integer; found 2.5"),
        ({"grpo": {"checkpoints": 3}}, "models.toy.rl.checkpoints: is the same for all models; set it in `rl`"),
        (
            {"sft": {"per_device_batch_size": 3}},
            "sft.global_batch_size: .* is not a multiple of per_device_batch_size 3",
        ),
        ({"chat_template": "no.jinja"}, "models.toy.chat_template: no such file: no.jinja"),
        (
            {"chat_template": "config/sft.yaml", "chat_template_sha256": "0" * 64},
            "models.toy.chat_template_sha256: config/sft.yaml has sha256 [0-9a-f]{64}; read what changed",
        ),
        ({"hub": {"model": "a/b"}}, "models.toy: .*give either `path` or `hub`, and set the other to null"),
    ],
)
def test_a_models_own_settings_are_checked(model, message, files, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = merged()
    config["models"]["toy"] |= model
    with pytest.raises(UserError, match=message):
        checked(config, files)


def test_a_models_own_settings_hold_for_it_alone(files, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = merged()
    config["models"]["other"] = {**config["models"]["toy"], "sft": {"per_device_batch_size": 16, "engine": {"x": 1}}}
    config["studies"]["other"] = {**config["studies"]["toy"], "model": "other"}
    experiment = checked(config, files)
    assert experiment.sft["toy"].per_device_batch_size == 32
    assert experiment.sft["other"].per_device_batch_size == 16
    assert experiment.sft["other"].engine == {"x": 1}
    assert experiment.sft["other"].learning_rate == experiment.config.sft.learning_rate


def test_models_that_share_an_engine_file_are_checked_each(files, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    shared = tmp_path / "shared.yaml"
    shared.write_text("algorithm: {adv_estimator: grpo}\n")
    config = change(merged(), "rl.settings", str(shared))
    checked(config, files)
    config["models"] = {"first": {**config["models"]["toy"], "rl": {"algorithm": "rloo"}}, **config["models"]}
    with pytest.raises(UserError, match="shared.yaml: algorithm.adv_estimator is 'grpo', and rl.algorithm rloo is"):
        checked(config, files)


@pytest.mark.parametrize(
    ("path", "key", "value", "message"),
    [
        ("rl.engine", "algorithm.adv_estimator", "rloo", "rl.engine: algorithm.adv_estimator is 'rloo', and"
         " rl.algorithm grpo is 'grpo'; remove it here, or choose another algorithm"),
        ("models.toy.rl", "engine", {"trainer.save_freq": 1}, "rl.engine: trainer.save_freq is set by the workflow"),
        ("sft.engine", "seed", 7, "sft.engine: seed is set by the workflow from the `sft` block"),
    ],
)  # fmt: skip
def test_engine_keys_that_overrule_the_config_are_refused_before_any_job(path, key, value, message, files, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=message):
        checked(change(merged(), path, {key: value}), files)


def test_verl_gets_the_processors_without_which_it_hangs(files, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = change(change(merged(), "accelerator", "cuda"), "rl.devices", 8)
    config["sft"]["devices"] = 1
    checked(config, files)
    config["cluster"]["cpus_per_gpu"] = 4
    with pytest.raises(UserError, match="cluster.cpus_per_gpu: 4 is 32 processors for RL on 8 GPUs; .* the 33 it"):
        checked(config, files)


def test_a_file_that_is_not_yaml_is_named_with_its_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: 1\nb: [1\n")
    with pytest.raises(UserError, match=r"bad\.yaml, line \d+: not YAML"):
        Files([tmp_path / "bad.yaml"])


def test_ids_read_aloud(files):
    experiment = expand(parse(merged(), files), files)
    assert "toy/walks.random-250.ep8.lr1e-3/sft" in experiment.sft_runs
    assert "toy/base/grpo/goals/run1/checkpoint2" in experiment.checkpoints
    assert short_float(1e-5) == "1e-5"
    assert Path(experiment.root) == Path("results/demo")


def test_a_checkpoint_of_two_studies_is_evaluated_once_on_all_their_benchmarks(files):
    config = merged()
    models = len(config["studies"]["toy"]["recipes"])
    second = {**config["studies"]["toy"], "benchmarks": ["hard"], "recipes": ["base", "random-100"]}
    config["studies"] = {"toy": {**config["studies"]["toy"], "benchmarks": ["easy"]}, "second": second}
    experiment = expand(parse(config, files), files)
    assert experiment.checkpoints["toy/base/sft"].benchmarks == ["easy", "hard"]
    assert len(experiment.sheet) == models + 2
    # The base is a model of both.
    assert len(experiment.sft_runs) == models + 1


def test_the_editors_schema_is_that_of_the_code(tmp_path):
    script("write_config_schema.py", "--output", tmp_path / "schema.json")
    fresh = (tmp_path / "schema.json").read_text()
    assert fresh == (ROOT / "config" / "schema.json").read_text(), "run: python scripts/write_config_schema.py"
