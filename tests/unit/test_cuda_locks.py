"""The environments for GPUs belong together: rollouts and evaluation sample with the same vLLM."""

import re

import pytest

from support import ROOT

ENGINES = ("sft", "grpo", "evaluate")


def pins(environment: str) -> dict[str, str]:
    text = (ROOT / "envs" / f"{environment}-cuda.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s\\;]+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("package", ["vllm", "torch", "transformers", "tokenizers", "flashinfer-python", "xgrammar"])
def test_rollouts_and_evaluation_share_their_versions(package):
    assert pins("grpo")[package] == pins("evaluate")[package]


def test_all_train_and_sample_with_one_torch():
    assert len({pins(engine)["torch"] for engine in ENGINES}) == 1


@pytest.mark.parametrize(
    ("engine", "package", "version"),
    [
        ("grpo", "verl", "0.9.1"),
        ("grpo", "vllm", "0.24.0"),
        ("grpo", "transformers", "5.9.0"),
        ("sft", "llamafactory", "0.9.5"),
        ("sft", "transformers", "5.6.0"),
        ("sft", "trl", "0.24.0"),
    ],
)
def test_the_engines_own_pins_are_kept(engine, package, version):
    assert pins(engine)[package] == version


@pytest.mark.parametrize("engine", ENGINES)
def test_every_package_of_a_lock_has_a_hash(engine):
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "envs" / f"{engine}-cuda.lock").read_text(), flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


@pytest.mark.parametrize("engine", ["sft", "grpo"])
def test_gpu_and_cpu_environments_run_the_same_engine(engine):
    cpu = (ROOT / "envs" / f"{engine}-cpu.lock").read_text()
    for package in {"sft": ("llamafactory", "trl", "transformers"), "grpo": ("verl", "transformers")}[engine]:
        assert re.search(rf"^{package}=={re.escape(pins(engine)[package])}\b", cpu, flags=re.MULTILINE)
