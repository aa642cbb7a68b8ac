"""docs/paper.md shows one recipe in full, as the code makes it today."""

import re
import shlex
from types import SimpleNamespace

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string

from quagmires.config.experiment import read_experiment
from quagmires.planning.resources import sft_request
from support import ROOT, script

RUN = "llama3-8b-instruct/llama-nemotron.random-10k.ep1.lr1e-5"


class Resources(SimpleNamespace):
    """Resources as a job of Snakemake has them."""

    def get(self, name, default=None):
        return getattr(self, name, default)


@pytest.fixture(scope="module")
def page() -> list[str]:
    """The code blocks of the page's last section."""
    text = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8").partition("## One recipe of Llama, in full")[2]
    return re.findall(r"```\w*\n(.*?)\n```", text, re.DOTALL)


def test_the_engines_settings_are_those_of_the_page(page):
    """Made by: scripts/show_run.py config/paper.yaml --run ..."""
    shown = script("show_run.py", "config/paper.yaml", "--run", RUN).stdout
    for block in page[:2]:
        assert block in shown
    assert yaml.safe_load(page[0])["per_device_train_batch_size"] * 8 * 8 == 128
    assert len(page[1].splitlines()) > 40


def sbatch_line() -> str:
    """What the plugin submits for the run, by the profile's and the rule's resources."""
    experiment = read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "paper.yaml"])
    request = sft_request(experiment.sft_runs[f"{RUN}/sft"], experiment)
    with open(ROOT / "profiles" / "slurm" / "config.yaml", encoding="utf-8") as content:
        profile = ProfileConfigFileParser().parse(content)
    added = dict(one.partition(":")[2].split("=", 1) for one in profile["set-resources"] if one.startswith("sft:"))
    resources = Resources(
        mem_mb=request.memory_mb, runtime=request.minutes, gpu=request.devices,
        gpu_model=experiment.config.cluster.gpu_model, nodes=int(added["nodes"]),
        slurm_extra=added["slurm_extra"].strip("\"'"),
    )  # fmt: skip
    job = SimpleNamespace(resources=resources, threads=request.processors)
    params = {
        "run_uuid": "RUN", "slurm_logfile": "logs/slurm/rule_sft/.../%j.log", "comment_str": "rule_sft", "account": "",
        "partition": f"-p {added['slurm_partition']}", "workdir": "CHECKOUT",
    }  # fmt: skip
    settings = SimpleNamespace(requeue=True, no_requeue=False, qos=None, reservation=None)
    return f"{get_submit_command(job, params, settings)}{set_gres_string(job)} --wrap=..."


def test_the_job_is_submitted_as_on_the_page(page):
    assert shlex.split(page[2].replace("\\\n", " ")) == shlex.split(sbatch_line())
