"""One engine from checkpoint to checkpoint: when it goes on, when a new one starts. vLLM is in test_sampling.py."""

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from quagmires.evaluation import engine
from quagmires.evaluation.engine import Engine
from quagmires.evaluation.engine_worker import CheckpointLoading


class Tokenizer:
    def __init__(self, eos_token_id: int = 2, **more: int):
        self.eos_token_id, self.vocabulary = eos_token_id, {"a": 0, "b": 1, "<end>": 2, **more}

    def get_vocab(self) -> dict[str, int]:
        return self.vocabulary


def model(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"hidden_size": 64, "max_position_embeddings": 128, "torch_dtype": "float32", "eos_token_id": 2}
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def test_checkpoints_of_one_architecture_and_tokenizer_are_of_one_kind(tmp_path):
    def kind(tokenizer=None, settings=None, **changes: Any) -> str:
        return engine.kind(model(tmp_path / "model", **changes), tokenizer or Tokenizer(), settings or {})

    same = kind()
    # Its stop tokens are each checkpoint's own; who wrote it does not matter.
    assert kind(eos_token_id=[1, 2], transformers_version="5.0", use_cache=False) == same
    others = [
        kind(hidden_size=128),
        kind(max_position_embeddings=64),
        kind(torch_dtype="bfloat16"),
        kind(Tokenizer(c=3)),
        kind(Tokenizer(eos_token_id=1)),
        kind(settings={"max_num_seqs": 8}),
    ]
    assert len({same, *others}) == 7
    # The engine's own setting counts then.
    given = {"dtype": "float32"}
    assert kind(settings=given, torch_dtype="bfloat16") == kind(settings=given)


class FakeLLM:
    """What our engine asks of vLLM's, written down."""

    def __init__(self, path: Path, log: list[str], resets: list[bool]):
        self.path, self.log, self.resets = path, log, resets
        self.input_processor = SimpleNamespace(generation_config_fields={})
        log.append(f"start {path.resolve().name}")

    async def reset_prefix_cache(self) -> bool:
        self.log.append("reset")
        return self.resets.pop() if self.resets else True

    async def collective_rpc(self, method: str) -> None:
        self.log.append(f"{method} {self.path.resolve().name}")

    async def sleep(self, level: int) -> None:
        self.log.append(f"sleep {level}")

    async def wake_up(self, tags: list[str]) -> None:
        self.log.append(f"wake {tags}")

    def shutdown(self, timeout: float) -> None:
        self.log.append("shutdown")


@pytest.fixture
def fake(monkeypatch):
    log: list[str] = []
    resets: list[bool] = []
    paths: list[Path] = []

    def start(path: Path, settings: dict) -> FakeLLM:
        paths.append(path)
        return FakeLLM(path, log, resets)

    monkeypatch.setattr(engine, "start_engine", start)
    monkeypatch.setattr(engine, "generation_fields", lambda path: {"of": path.name})
    monkeypatch.setattr(engine, "RESET_EVERY_SECONDS", 0)
    for name in ("VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        # Removed again after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return SimpleNamespace(log=log, resets=resets, paths=paths)


def load(living: Engine, *asked: tuple[Path, str]) -> list[dict]:
    """Stop tokens after each load."""

    async def all_of_them() -> list[dict]:
        found = []
        for path, kind in asked:
            await living.load(path, kind)
            found.append(living.llm.input_processor.generation_config_fields)
        return found

    return asyncio.run(all_of_them())


def test_the_next_weights_go_into_the_living_engine_under_the_same_path(tmp_path, fake, capsys):
    living = Engine({}, tmp_path / "cache", 7)
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    assert load(living, (one, "aa"), (two, "aa")) == [{"of": "one"}, {"of": "two"}]
    # No prefix of the old weights is left, nor one that came between.
    assert fake.log == ["start one", "reset", "load_checkpoint two", "reset"]
    assert living.starts == 1
    assert "two: loaded into the running engine in 0.0" in capsys.readouterr().err
    living.close()
    assert fake.log[-1] == "shutdown"


def test_another_kind_gets_an_engine_of_its_own(tmp_path, fake, capsys):
    living = Engine({}, tmp_path / "cache", 7)
    load(living, (model(tmp_path / "one"), "aa"), (model(tmp_path / "two"), "bb"))
    assert fake.log == ["start one", "shutdown", "start two"]
    assert fake.paths[0] != fake.paths[1]
    assert "of another architecture, tokenizer or dtype: a new engine started" in capsys.readouterr().err


def test_an_engine_that_keeps_its_prefixes_is_not_gone_on_with(tmp_path, fake):
    living = Engine({}, tmp_path / "cache", 7)
    fake.resets += [False] * engine.RESET_TRIES
    load(living, (model(tmp_path / "one"), "aa"), (model(tmp_path / "two"), "aa"))
    assert fake.log[-2:] == ["shutdown", "start two"]
    assert living.starts == 2


def test_with_sleep_mode_old_weights_leave_before_new_ones_come(tmp_path, fake):
    living = Engine({"enable_sleep_mode": True}, tmp_path / "cache", 7)
    load(living, (model(tmp_path / "one"), "aa"), (model(tmp_path / "two"), "aa"))
    assert fake.log[2:-1] == ["sleep 2", "wake ['weights']", "load_checkpoint two", "wake ['kv_cache']"]


def test_caches_are_the_folders_unless_the_user_says_where(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", "/mine")
    living = Engine({}, tmp_path / "cache", 7)
    load(living, (model(tmp_path / "one"), "aa"))
    first = engine.os.environ["VLLM_CACHE_ROOT"]
    load(living, (model(tmp_path / "two"), "bb"))
    assert engine.os.environ["TRITON_CACHE_DIR"] == "/mine"
    assert first != engine.os.environ["VLLM_CACHE_ROOT"] == str(fake.paths[1].parent / "vllm")


@pytest.mark.parametrize("cpu", [True, False])
def test_tied_output_layers_are_packed_anew_on_a_cpu(monkeypatch, cpu):
    """Elsewhere they share the embedding's memory."""
    done: list[str] = []

    class VocabParallelEmbedding:
        quant_method = SimpleNamespace(process_weights_after_loading=lambda layer: done.append("packed"))

    embedding, platforms = ModuleType("embedding"), ModuleType("platforms")
    embedding.VocabParallelEmbedding = VocabParallelEmbedding
    platforms.current_platform = SimpleNamespace(is_cpu=lambda: cpu)
    monkeypatch.setitem(sys.modules, "vllm.model_executor.layers.vocab_parallel_embedding", embedding)
    monkeypatch.setitem(sys.modules, "vllm.platforms", platforms)
    worker = CheckpointLoading()
    worker.reload_weights = lambda: done.append("loaded")
    network = SimpleNamespace(modules=lambda: [object(), VocabParallelEmbedding()])
    worker.model_runner = SimpleNamespace(get_model=lambda: network)
    worker.load_checkpoint()
    assert done == (["loaded", "packed"] if cpu else ["loaded"])
