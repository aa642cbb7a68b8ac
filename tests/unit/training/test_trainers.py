import pytest

from quagmires.training.trainers import DEFAULTS, TRAINERS, by_name


def test_every_trainer_is_found_by_its_name():
    assert {*by_name()} == {*TRAINERS["sft"], *TRAINERS["rl"]}
    assert all(DEFAULTS[stage] in TRAINERS[stage] for stage in TRAINERS)


@pytest.mark.parametrize(
    ("sft", "rl", "name"), [(("a", "b"), ("b", "c"), "b"), (("vllm",), ("c",), "vllm"), (("a",), ("vllm",), "vllm")]
)
def test_a_name_stands_for_one_engine(sft, rl, name):
    trainer = TRAINERS["sft"]["llamafactory"]
    with pytest.raises(ValueError, match=f"training/trainers.py: the name '{name}' is taken; choose another"):
        by_name({"sft": dict.fromkeys(sft, trainer), "rl": dict.fromkeys(rl, trainer)})
