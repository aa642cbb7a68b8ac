"""Which checkpoints one sampling command draws, and which it leaves to others. Engines are in test_sampling.py."""

import argparse
import asyncio
import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from quagmires.commands import sample
from quagmires.common.errors import UserError
from quagmires.evaluation import engine_folder, sampling


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Two problems, and models whose drawing is written down; `during` is called with each name then."""
    pd.DataFrame({"id": ["a", "b"], "problem": ["1+1", "2+2"]}).to_parquet(tmp_path / "easy.parquet")
    found = SimpleNamespace(folder=tmp_path, drawn=[], closed=[], broken=set(), during=lambda name: None)

    async def draw(options, living, kind, drawing):
        name = drawing.checkpoint.name
        if name in found.broken:
            raise UserError(f"{name}: vLLM failed")
        found.drawn.append(name)
        found.during(name)
        for shard in drawing.missing:
            path = shard.path(drawing.checkpoint.output)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return sampling.Tally(responses=2 * options.samples)

    texts = sample.Texts(SimpleNamespace(chat_template="x"), {("easy", "a"): [1], ("easy", "b"): [2]})
    monkeypatch.setattr(sample.Library, "texts", lambda self, checkpoint: texts)
    monkeypatch.setattr(sample.engine, "kind", lambda model, tokenizer, settings: "aa")
    monkeypatch.setattr(sample.engine.Engine, "close", lambda self: found.closed.append(len(found.drawn)))
    monkeypatch.setattr(sample, "draw", draw)
    monkeypatch.setattr(sample, "LOOK_EVERY_SECONDS", 0.01)
    return found


def model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text(str(folder))
    return folder


def arguments(world, names: list[str], **changes) -> list[str]:
    given = {"benchmark": f"easy={world.folder}/easy.parquet", "instruction": "Answer it.", "samples": 2,
             "repetitions-per-shard": 2, "temperature": 1, "top-p": 1, "max-tokens": 64, "seed": 1,
             "engine": json.dumps({"dtype": "float32"}), "cache": world.folder / "cache", **changes}  # fmt: skip
    parts = [str(part) for key, value in given.items() for part in (f"--{key}", value)]
    for name in names:
        parts += ["--checkpoint", name, str(world.folder / name / "model"), str(output(world, name))]
    return parts


def output(world, name: str) -> Path:
    return world.folder / name / "eval"


def run(world, names: list[str], *waiting: list[str], **changes) -> None:
    (world.folder / "waiting.txt").write_text("".join(f"{shlex.join(line)}\n" for line in waiting))
    parser = argparse.ArgumentParser()
    sample.add_arguments(parser)
    options = parser.parse_args([*arguments(world, names, **changes), "--waiting", f"{world.folder}/waiting.txt"])
    sample.settle(options)
    due = [one for one in sample.asked_for(options) if not sample.is_on_record(options, one)]
    if due:
        asyncio.run(sample.draw_all(options, due))


def files(world, name: str) -> set[str]:
    return {path.name for path in output(world, name).glob("*.json")}


def test_one_that_fails_loses_no_other(world):
    for name in ("one", "two", "three", "four"):
        model(world.folder / name / "model")
    world.broken = {"two", "four"}
    with pytest.raises(UserError, match=r"^two: vLLM failed Failed too: four\.$"):
        run(world, ["one", "two", "three", "four"])
    assert world.drawn == ["one", "three"]
    # The engine that failed is not gone on with.
    assert world.closed[0] == 1
    assert files(world, "one") == files(world, "three") == {"samples.json", "drawn.json"}
    assert not files(world, "two")
    # Only these are left to do.
    world.broken = set()
    run(world, ["one", "two", "three", "four"])
    assert world.drawn == ["one", "three", "two", "four"]


def test_an_engine_that_is_there_goes_on_to_what_other_commands_wait_for(world):
    for name in ("own", "ready", "more", "other-seed"):
        model(world.folder / name / "model")
    more = arguments(world, ["more"], samples=4)
    lines = [arguments(world, ["own"]), arguments(world, ["not-trained-yet"]), arguments(world, ["ready"]), more,
             arguments(world, ["other-seed"], seed=2)]  # fmt: skip
    run(world, ["own"], *lines)
    assert world.drawn == ["own", "ready", "more"]
    # Theirs is samples.json, for which they need no engine then.
    assert files(world, "ready") == files(world, "more") == {"drawn.json"}
    assert len(list(output(world, "more").glob("easy/samples/*"))) == 2
    run(world, ["ready"], *lines)
    assert world.drawn == ["own", "ready", "more"]
    assert json.loads((output(world, "ready") / "samples.json").read_text())["drawn"]["responses"] == 4


def test_a_model_that_is_there_by_then_is_drawn_too(world):
    model(world.folder / "own" / "model")
    world.during = lambda name: model(world.folder / "trained" / "model") if name == "own" else None
    run(world, ["own"], arguments(world, ["trained"]))
    assert world.drawn == ["own", "trained"]


def test_what_is_wrong_with_another_commands_checkpoint_is_left_to_it(world, capsys):
    for name in ("own", "bad", "next"):
        model(world.folder / name / "model")
    world.broken = {"bad"}
    run(world, ["own"], arguments(world, ["bad"]), arguments(world, ["next"]))
    assert world.drawn == ["own"]
    assert "bad: left to its own job: bad: vLLM failed" in capsys.readouterr().err
    assert files(world, "own") == {"samples.json", "drawn.json"} and not files(world, "bad")


def test_what_another_process_is_at_is_not_drawn_twice_and_holds_nobody_up(world, capsys, monkeypatch):
    monkeypatch.setattr(sample.terminal, "stream", sys.stderr)
    for name in ("first", "second", "ready"):
        model(world.folder / name / "model")
    theirs = engine_folder.claim(world.folder / "cache", output(world, "first"))
    assert theirs is not None
    run(world, ["second"], arguments(world, ["first"]))
    assert world.drawn == ["second"]
    # It ended without having drawn it, while another was drawn in the meantime.
    world.during = lambda name: theirs.release() if name == "ready" else None
    run(world, ["first"], arguments(world, ["first"]), arguments(world, ["ready"]))
    assert world.drawn == ["second", "ready", "first"]
    assert "first: another process of this machine is at it; waiting" in capsys.readouterr().err
    assert files(world, "first") == {"samples.json", "drawn.json"}


@pytest.mark.parametrize("first, then", [(None, "1"), ("1", None)])
def test_samples_of_batch_invariant_kernels_and_of_others_are_never_mixed(world, monkeypatch, first, then):
    def switch(value: str | None) -> None:
        monkeypatch.delenv("VLLM_BATCH_INVARIANT", raising=False)
        if value:
            monkeypatch.setenv("VLLM_BATCH_INVARIANT", value)

    model(world.folder / "one" / "model")
    switch(first)
    run(world, ["one"])
    switch(then)
    with pytest.raises(UserError, match="batch_invariant"):
        run(world, ["one"], samples=4)
    switch(first)
    run(world, ["one"], samples=4)
    assert world.drawn == ["one", "one"]
