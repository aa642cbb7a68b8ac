"""What an experiment costs, before anything runs."""

import json

import pandas as pd
import pytest
import yaml

from quagmires.common.errors import UserError
from quagmires.config.experiment import Experiment, expand, read_experiment
from quagmires.config.loading import Files, laid_over, parse
from quagmires.planning import resources, throughput
from quagmires.planning.costs import SAMPLING, check_budget, make_plan, peak_disk, scaled_hours
from quagmires.planning.jobs import Job, planned_jobs
from quagmires.planning.schedule import Task, Timetable, timetable
from quagmires.planning.spending import spent
from quagmires.reporting.plan_text import WIDTH, plan_text
from support import MODELS, ROOT, overlay, planned, script, snakemake


def experiment(name: str = "paper", **changes) -> Experiment:
    """An experiment of the repository with some blocks or values changed; a dunder goes one block down."""
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / f"{name}.yaml"])
    merged = files.merged()
    for path, value in changes.items():
        for key in reversed(path.split("__")):
            value = {key: value}
        merged = laid_over(merged, value)
    return expand(parse(merged, files), files)


def plan_of(one: Experiment, devices: int = 64) -> dict:
    speeds = throughput.read(one.config, one.config.costs.throughput)
    return make_plan(one, speeds, planned_jobs(one, speeds), devices)


def stage(plan: dict, name: str) -> dict:
    return next(row for row in plan["stages"] if row["stage"] == name)


@pytest.fixture(scope="module")
def paper() -> Experiment:
    return experiment()


@pytest.fixture(scope="module")
def plan(paper) -> dict:
    return plan_of(paper)


def test_totals_are_the_sum_over_every_run_once(paper, plan):
    speeds = throughput.read(paper.config, paper.config.costs.throughput)
    grpo = [resources.rl_work(run, paper, speeds) for run in paper.rl_runs.values()]
    sft = [resources.sft_work(run, paper, speeds) for run in paper.sft_runs.values() if run.subset != "base"]
    samples = [resources.samples_work(paper.checkpoints[path], paper, speeds) for path in paper.sft_runs]
    samples += [resources.rl_samples_work(run, paper, speeds) for run in paper.rl_runs.values()]
    losses = [resources.loss_work(run, dataset, paper, speeds) for run, dataset in paper.losses()]
    assert (len(grpo), len(sft), len(samples)) == (324, 78, 81 + 324)
    expected = sum(work.device_hours for work in [*grpo, *sft, *samples, *losses])
    assert plan["totals"]["device_hours"] == pytest.approx(expected)
    assert plan["totals"]["sft_tokens"] == pytest.approx(sum(work.tokens for work in sft))
    assert plan["totals"]["grpo_steps"] == sum(resources.rl_steps(run, paper) for run in paper.rl_runs.values())
    assert len({job["name"] for job in plan["jobs"]}) == len(plan["jobs"])


def test_rollouts_of_grpo_are_responses_too(paper, plan):
    rollouts = sum(
        resources.rl_steps(run, paper) * paper.rl[run.sft.model].batch_size * paper.rl[run.sft.model].rollouts
        for run in paper.rl_runs.values()
    )
    assert stage(plan, "grpo")["responses"] == rollouts > 0
    samples = sum(resources.responses(one, paper) for one in paper.checkpoints.values())
    assert plan["totals"]["responses"] == rollouts + samples
    assert sum(job["responses"] for job in plan["jobs"]) == rollouts + samples
    row = next(line for line in plan_text(plan).splitlines() if line.startswith("GRPO "))
    assert f"{rollouts / 1e6:,.0f} M" in row


@pytest.mark.parametrize("part", ["stages", "studies", "study_stages"])
def test_every_breakdown_adds_up_to_the_totals(plan, part):
    rows = pd.DataFrame(plan[part])
    for column in ("jobs", "sft_tokens", "grpo_steps", "responses", "response_tokens", "device_hours", "money",
                   "disk_bytes"):  # fmt: skip
        assert rows[column].sum() == pytest.approx(plan["totals"][column]), column


def test_a_run_of_several_studies_counts_for_the_first_and_names_the_others(plan):
    run = "mistral-nemo-12b-instruct/acereason.random-10k.ep1.lr1e-5/sft"
    job = next(job for job in plan["jobs"] if job["name"] == run)
    assert job["studies"][0] == "mistral-dataset"
    assert {"mistral-instance", "figure1", "figure2-mistral"} <= set(job["studies"])
    figure2 = next(row for row in plan["studies"] if row["study"] == "figure2-mistral")
    assert (figure2["new_models"], figure2["device_hours"]) == (0, 0)
    assert sum(figure2["models_from"].values()) == figure2["models"] == 6
    assert figure2["alone"]["device_hours"] > 0


def test_what_a_study_costs_alone_is_the_plan_of_a_config_with_that_study(paper, plan):
    config = paper.config.model_dump()
    config["studies"] = {"figure7": config["studies"]["figure7"]}
    config["tables"] = config["figures"] = {}
    files = Files([ROOT / "config" / "base.yaml"])
    only = plan_of(expand(parse(config, files), files))["totals"]
    figure7 = next(row for row in plan["studies"] if row["study"] == "figure7")
    assert figure7["alone"]["device_hours"] == pytest.approx(only["device_hours"])
    # Jobs stand in another order, which moves the end of a list schedule a little.
    assert figure7["alone"]["wall_hours"] == pytest.approx(only["wall_hours"], rel=0.1)
    assert figure7["device_hours"] < only["device_hours"]


def test_twice_the_runs_are_twice_the_rl_and_nothing_else(plan):
    twice = plan_of(experiment(rl__runs=8))
    for name in ("grpo", "samples_after"):
        for column in ("jobs", "device_hours", "grpo_steps", "responses", "disk_bytes"):
            assert stage(twice, name)[column] == pytest.approx(2 * stage(plan, name)[column])
    for name in ("data", "sft", "loss", "samples_before"):
        assert stage(twice, name) == stage(plan, name)


@pytest.mark.parametrize(
    "more",
    [
        {"cluster__response_tokens": 3000},
        {"rl__epochs": 4},
        {"rl__rollouts": 32},
        {"evaluation__samples_after_rl": 128},
        {"sft__cutoff_tokens": 16384},
    ],
)
def test_more_of_anything_costs_more(plan, more):
    assert plan_of(experiment(**more))["totals"]["device_hours"] > plan["totals"]["device_hours"]


RECIPE = {"subset": "random-10k", "epochs": 8}


def of_recipes(*recipes) -> dict:
    """The plan of one of the paper's studies with other recipes."""
    study = experiment().config.studies["llama-dataset"].model_dump() | {"recipes": [*recipes], "calibration": []}
    config = experiment().config.model_dump() | {"studies": {"one": study}, "tables": {}, "figures": {}}
    files = Files([ROOT / "config" / "base.yaml"])
    return plan_of(expand(parse(config, files), files))


def test_a_ladder_costs_one_training_and_four_of_everything_else():
    ladder = of_recipes({**RECIPE, "evaluate_at": [1, 2, 4, 8]})
    longest, four = of_recipes(RECIPE), of_recipes(*({**RECIPE, "epochs": epochs} for epochs in (1, 2, 4, 8)))
    for column in ("jobs", "sft_tokens", "device_hours"):
        assert stage(ladder, "sft")[column] == stage(longest, "sft")[column] < stage(four, "sft")[column]
    # Each keeps its weights.
    assert stage(ladder, "sft")["disk_bytes"] == stage(four, "sft")["disk_bytes"]
    for name in ("loss", "samples_before", "grpo", "samples_after", "grade"):
        assert stage(ladder, name) == stage(four, name)
    assert ladder["totals"]["models"] == 4
    # Its models are sampled from when all of it is trained.
    ends = {job["name"]: job["end_hour"] for job in ladder["jobs"]}
    trained = next(end for name, end in ends.items() if name.endswith("ep8.lr1e-5/sft"))
    starts = [job["start_hour"] for job in ladder["jobs"] if job["stage"] == "samples_before"]
    assert len(starts) == 4 and min(starts) >= trained


def test_what_a_ladder_took_is_what_its_run_took(tmp_path):
    study = {"studies__toy__recipes": ["base", {**RECIPE, "subset": "random-60", "evaluate_at": [1, 8]}]}
    demo = experiment("demo", tables={}, figures={}, **study)
    jobs = planned_jobs(demo, throughput.of(demo.config))
    record = tmp_path / "sft" / "toy" / "walks.random-60.ep8.lr1e-3.tsv"
    record.parent.mkdir(parents=True)
    record.write_text("s\th:m:s\n36.0\t0:00:36\n")
    [row] = spent(jobs, tmp_path, tmp_path)
    assert (row["stage"], row["jobs"], row["finished"], row["spent_device_hours"]) == ("sft", 1, 1, 0.01)


def test_a_validation_set_of_several_pools_costs_a_second_loss_of_every_model(plan):
    more = plan_of(experiment(sft__validation={"from": ["llama-nemotron", "acereason"], "examples": 500}))
    assert stage(more, "loss")["jobs"] > stage(plan, "loss")["jobs"]
    assert more["totals"]["models"] == plan["totals"]["models"]
    names = [job["name"] for job in more["jobs"] if job["name"].endswith("/loss.common")]
    assert len(names) == plan["totals"]["models"]
    assert stage(more, "sft") == stage(plan, "sft")


def test_a_larger_model_costs_more_time_and_disk(tmp_path):
    (tmp_path / "empty.yaml").write_text("speeds: {}\n")
    one = {"costs__throughput": str(tmp_path / "empty.yaml")}
    small, large = (
        plan_of(experiment(**one, **{"models__llama3-8b-instruct__parameters": size}))["totals"] for size in (8e9, 9e9)
    )
    assert large["device_hours"] > small["device_hours"]
    assert large["disk_bytes"] > small["disk_bytes"]


def test_the_sensitivity_is_what_a_changed_plan_says(paper, plan, tmp_path):
    longer = plan_of(experiment(cluster__response_tokens=4000))["totals"]["device_hours"]
    table = yaml.safe_load((ROOT / "config" / "throughput.yaml").read_text())
    for entry in table["speeds"]["a100"].values():
        entry["tokens_per_second"] = {kind: 2 * speed for kind, speed in entry["tokens_per_second"].items()}
    (tmp_path / "fast.yaml").write_text(yaml.safe_dump(table))
    faster = plan_of(experiment(costs__throughput=str(tmp_path / "fast.yaml")))["totals"]["device_hours"]
    found = {(row["response_length"], row["speed"]): row["device_hours"] for row in plan["sensitivity"]}
    assert found[1, 1] == pytest.approx(plan["totals"]["device_hours"])
    assert found[1.6, 1] == pytest.approx(longer)
    assert found[1, 2] == pytest.approx(faster)


def test_time_limits_are_the_planned_times_with_a_margin(paper):
    speeds, margin = throughput.of(paper.config), paper.config.cluster.margin
    run = paper.rl_runs["llama3-8b-instruct/base/grpo/math-train/run1"]
    work, request = resources.rl_work(run, paper, speeds), resources.rl_request(run, paper)
    assert request.minutes - resources.OVERHEAD_MINUTES == pytest.approx(margin * work.seconds / 60, abs=1)
    assert request.devices == work.devices == 8
    longest = paper.rl_runs["mistral-nemo-12b-instruct/base/grpo/deepscaler/run1"]
    assert resources.rl_work(longest, paper, speeds).hours > paper.config.cluster.max_hours
    assert resources.rl_request(longest, paper).minutes == paper.config.cluster.max_hours * 60


def test_jobs_longer_than_a_time_limit_may_be_are_counted(plan):
    longer = [job for job in plan["jobs"] if job["devices"] and job["device_hours"] / job["devices"] > 120]
    assert plan["totals"]["jobs_over_max_hours"] == len(longer) > 0


def test_too_large_a_plan_is_refused_in_one_line_with_its_biggest_items(plan):
    with pytest.raises(UserError) as refusal:
        check_budget(experiment(costs__max_gpu_hours=100_000))
    message = str(refusal.value)
    assert "\n" not in message
    assert (
        f"costs.max_gpu_hours: the plan is {plan['totals']['device_hours']:,.0f} GPU-hours, the limit 100,000"
        in message
    )
    rows = sorted(plan["study_stages"], key=lambda row: -row["device_hours"])
    named = [f"{row['study']} GRPO {row['device_hours']:,.0f}" for row in rows[:3]]
    assert ", ".join(named) in message


def test_the_biggest_items_are_called_by_the_algorithm():
    with pytest.raises(UserError, match=r"the biggest items are \S+ Dr\. GRPO [0-9,]+, "):
        check_budget(experiment(costs__max_gpu_hours=100_000, rl__algorithm="dr_grpo"))


def test_a_plan_just_above_its_limit_is_refused(plan):
    with pytest.raises(UserError, match="max_gpu_hours"):
        check_budget(experiment(costs__max_gpu_hours=plan["totals"]["device_hours"] - 1))


def test_a_plan_within_its_limit_without_one_or_without_gpus_is_not_refused(plan):
    check_budget(experiment(costs__max_gpu_hours=plan["totals"]["device_hours"] + 1))
    check_budget(experiment())
    check_budget(experiment("demo", costs__max_gpu_hours=0.001))


def test_the_demo_costs_hours_of_jobs_and_no_money():
    plan = plan_of(experiment("demo"), devices=2)
    assert (plan["device"], plan["unit"], plan["totals"]["money"]) == ("cpu", "job-hours", 0)
    assert 0.2 < plan["totals"]["device_hours"] < 2
    assert plan["totals"]["work_hours"] <= plan["totals"]["wall_hours"] < plan["totals"]["device_hours"]
    assert "Money: none without GPUs" in plan_text(plan)


def test_as_many_jobs_are_counted_as_snakemake_plans(tmp_path):
    config = overlay(tmp_path)
    jobs = planned(snakemake("-n", "--configfile", config).stdout)
    plan = plan_of(read_experiment([ROOT / "config" / "base.yaml", config]), devices=2)
    data = ("pool", "token_lengths", "subset", "contamination", "rendered_prompts")
    assert stage(plan, "data")["jobs"] == sum(jobs[name] for name in data)
    for name, rule in {"sft": "sft", "loss": "generalization_loss", "grpo": "rl", "grade": "grade"}.items():
        assert stage(plan, name)["jobs"] == jobs[rule]
    for name, rule in {"samples_before": "samples", "samples_after": "rl_samples"}.items():
        assert stage(plan, name)["jobs"] == jobs[rule]


def test_models_take_two_bytes_a_parameter_and_go_if_they_are_not_kept(paper, plan):
    parameters = {name: model.parameters for name, model in paper.config.models.items()}
    sft = sum(2 * parameters[run.model] for run in paper.sft_runs.values() if run.subset != "base")
    rl = sum(4 * 2 * parameters[run.sft.model] for run in paper.rl_runs.values())
    assert stage(plan, "sft")["disk_bytes"] == pytest.approx(sft)
    assert stage(plan, "grpo")["disk_bytes"] == pytest.approx(rl)
    gone = plan_of(experiment(rl__keep_models=False))
    assert stage(gone, "grpo")["disk_bytes"] == 0
    assert gone["totals"]["disk_bytes"] == pytest.approx(plan["totals"]["disk_bytes"] - rl)
    assert gone["totals"]["peak_disk_bytes"] < plan["totals"]["peak_disk_bytes"]


def test_running_jobs_and_models_that_wait_need_disk_too(plan):
    assert plan["totals"]["peak_disk_bytes"] > plan["totals"]["disk_bytes"]
    gone = plan_of(experiment(rl__keep_models=False))["totals"]
    # Eight nodes train at the same time, each with checkpoints of a 12B model.
    assert gone["peak_disk_bytes"] - gone["disk_bytes"] > 1e12


def test_a_model_that_is_not_kept_needs_disk_until_all_its_samples_are_drawn():
    jobs = [
        Job("run", "grpo", "m", disk=1, temporary=7, until_sampled=100),
        Job("early", "samples_after", "m", disk=0, after=("run",)),
        Job("late", "samples_after", "m", disk=0, after=("run",)),
        Job("model", "sft", "m", disk=50),
        Job("another", "sft", "m", disk=1000),
    ]
    times = Timetable(starts=[0, 1, 4, 2, 5], ends=[1, 2, 5, 3, 6], critical_path=6)
    assert peak_disk(jobs[:4], times_of(times, 4)) == 1 + 100 + 50
    assert peak_disk(jobs, times) == 1 + 50 + 1000


def times_of(times: Timetable, count: int) -> Timetable:
    return Timetable(times.starts[:count], times.ends[:count], times.critical_path)


def test_nothing_is_scheduled_before_what_it_waits_for(plan):
    jobs = {job["name"]: job for job in plan["jobs"]}
    for name, job in jobs.items():
        run = name.removesuffix("/samples")
        if job["stage"] == "samples_after":
            assert job["start_hour"] >= jobs[run]["end_hour"] > 0
        if job["stage"] == "grpo" and "/base/" not in name:
            assert job["start_hour"] >= jobs[f"{name.partition('/grpo/')[0]}/sft"]["end_hour"] > 0


def test_more_gpus_finish_earlier_but_not_before_the_longest_chain(paper, plan):
    many = plan_of(paper, devices=100_000)["totals"]
    assert many["wall_hours"] == pytest.approx(many["critical_path_hours"])
    few = plan["totals"]
    assert many["wall_hours"] < few["wall_hours"] < plan_of(paper, devices=32)["totals"]["wall_hours"]
    assert max(few["work_hours"], few["critical_path_hours"]) <= few["wall_hours"] < 1.1 * few["work_hours"]


def test_too_few_gpus_for_one_job_are_refused(paper):
    with pytest.raises(UserError, match="costs.gpus is 4, but a job takes 8"):
        plan_of(paper, devices=4)


def test_a_timetable_keeps_to_devices_order_and_priority():
    tasks = [Task(2, 1), Task(2, 1), Task(1, 2, after=(0,)), Task(1, 1, priority=1), Task(3, 1, after=(3,))]
    times = timetable(tasks, devices=2)
    # The urgent fourth goes first; the third waits for both devices, and the fifth passes it.
    assert times.starts == [0, 1, 5, 0, 2]
    assert (times.hours, times.critical_path) == (6, 4)


def test_the_whole_plan_of_the_paper_never_uses_more_than_its_gpus(plan):
    jobs = [job for job in plan["jobs"] if job["devices"]]
    changes = sorted(
        [(job["start_hour"], job["devices"]) for job in jobs] + [(job["end_hour"], -job["devices"]) for job in jobs]
    )
    used = most = 0
    for _, change in changes:
        used += change
        most = max(most, used)
    assert most == 64


def test_the_text_fits_a_terminal_and_says_what_is_estimated(plan):
    text = plan_text(plan)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert f"{plan['totals']['device_hours']:,.0f}" in text
    assert "1,700 estimated" in text
    assert "figure2-mistral takes models: 5 from mistral-dataset" in text


def test_what_was_spent_is_set_against_what_was_planned_for_finished_jobs_alone(tmp_path):
    demo = experiment("demo")
    speeds = throughput.read(demo.config, demo.config.costs.throughput)
    jobs = planned_jobs(demo, speeds)
    head = "s\th:m:s\tmax_rss\n"
    for path in ("sft/toy/walks.random-1k.ep1.lr1e-3", "grpo/toy/base.goals.run1"):
        file = tmp_path / "benchmarks" / f"{path}.tsv"
        file.parent.mkdir(parents=True)
        file.write_text(f"{head}1800.0\t0:30:00\t1.0\n")
    record = tmp_path / "results" / "toy" / "base" / "sft" / "eval" / "samples.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"drawn": {"seconds": 720.0}}))
    rows = {row["stage"]: row for row in spent(jobs, tmp_path / "benchmarks", tmp_path / "results")}
    assert {name: (row["finished"], row["jobs"]) for name, row in rows.items()} == {
        "sft": (1, MODELS - 1),
        "samples_before": (1, MODELS),
        "grpo": (1, MODELS),
    }
    assert [rows[name]["spent_device_hours"] for name in ("sft", "grpo", "samples_before")] == [0.5, 0.5, 0.2]
    assert rows["grpo"]["planned_device_hours"] == next(job for job in jobs if job.stage == "grpo").device_hours


def test_nothing_spent_is_no_row(tmp_path):
    demo = experiment("demo")
    jobs = planned_jobs(demo, throughput.read(demo.config, demo.config.costs.throughput))
    assert spent(jobs, tmp_path, tmp_path) == []
    damaged = tmp_path / "sft" / "toy" / "walks.random-1k.ep1.lr1e-3.tsv"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("s\nfast\n")
    assert spent(jobs, tmp_path, tmp_path) == []


def test_the_script_writes_and_prints_the_plan_before_it_refuses_it(tmp_path):
    limit = tmp_path / "limit.yaml"
    limit.write_text("costs: {max_gpu_hours: 1000, price_per_gpu_hour: 3.5, currency: EUR}\n")
    configs = ("config/base.yaml", "config/paper.yaml", limit)
    result = script("plan.py", "--config", *configs, "--output-folder", tmp_path / "decisions", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: costs.max_gpu_hours: ") and result.stderr.count("\n") == 1
    assert result.stdout == (tmp_path / "decisions" / "plan.txt").read_text()
    plan = json.loads((tmp_path / "decisions" / "plan.json").read_text())
    table = pd.read_csv(tmp_path / "decisions" / "plan.csv")
    assert table["device_hours"].sum() == pytest.approx(plan["totals"]["device_hours"])
    assert plan["totals"]["money"] == pytest.approx(3.5 * plan["totals"]["device_hours"])
    assert "3.5 EUR a GPU-hour" in result.stdout
    again = script("plan.py", "--config", *configs, "--output-folder", tmp_path / "decisions", "--no-limit")
    assert (again.stderr, again.stdout) == ("", result.stdout)


def test_sampling_stages_are_those_that_draw_responses(plan):
    drawn = {row["stage"] for row in plan["stages"] if row["response_tokens"]}
    assert drawn == set(SAMPLING)
    assert scaled_hours([], 1, 1) == 0
