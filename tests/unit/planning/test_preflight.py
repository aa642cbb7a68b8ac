import pytest

from quagmires.common.errors import UserError
from quagmires.config.loading import Files, laid_over, parse
from quagmires.planning.preflight import check_predictors
from support import ROOT


def check(predictor: str) -> None:
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    merged = files.merged()
    table = {"statistic": "spearman", "studies": list(merged["studies"]), "predictors": [predictor]}
    check_predictors(parse(laid_over(merged, {"tables": {"mine": table}}), files), files)


@pytest.mark.parametrize("name", ["pass_at_1", "rollout_entropy"])
def test_a_table_may_name_predictors_of_the_arena_that_metrics_hold(name):
    check(name)


@pytest.mark.parametrize("name", ["pass_at_2", "early_rl_score", "sigmoid_ceiling"])
def test_a_table_may_not_name_what_metrics_do_not_hold(name):
    with pytest.raises(UserError, match=rf"tables.mine.predictors\[0\]: unknown predictor '{name}'"):
        check(name)
