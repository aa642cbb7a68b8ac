import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.metrics_file import LABEL, read_metrics, stored_label, write_metrics
from support import ROOT, analysis_of

EXAMPLE = ROOT / "results" / "example" / "metrics.parquet"


@pytest.fixture(scope="module")
def settings() -> AnalysisSettings:
    return analysis_of("paper", "example")


@pytest.fixture
def metrics() -> pd.DataFrame:
    return pd.read_parquet(EXAMPLE)


def test_the_example_is_read_whole_and_says_what_it_is(settings):
    assert len(read_metrics(EXAMPLE, settings)) == 123
    assert stored_label(EXAMPLE) == settings.label == "simulated, not measured"


def test_a_label_goes_where_the_file_goes(tmp_path, metrics):
    write_metrics(tmp_path / "m.parquet", metrics, "of another")
    assert stored_label(tmp_path / "m.parquet") == "of another"
    metrics.to_parquet(tmp_path / "plain.parquet")
    assert stored_label(tmp_path / "plain.parquet") == stored_label(tmp_path / "none.parquet") == ""
    assert LABEL.startswith(b"quagmires")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns=["generalization_loss", "gain"]), "no column generalization_loss, gain; "),
        (lambda table: table.drop(columns="study"), "no column study; "),
        (lambda table: table.assign(study="other"), "none of the studies of example; "),
        (lambda table: table.iloc[:0], "none of the studies of example; "),
        (lambda table: pd.concat([table, table.iloc[[3]]]), "random-10k.ep8.lr1e-5 of llama-dataset is there twice; "),
        (lambda table: table.assign(sft_tokens=float("nan")), " of llama-dataset has no sft_tokens; "),
    ],
)
def test_metrics_that_cannot_be_are_one_line(tmp_path, metrics, settings, change, message):
    path = tmp_path / "metrics.parquet"
    change(metrics).to_parquet(path)
    with pytest.raises(UserError) as error:
        read_metrics(path, settings)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_file_that_is_cut_off_is_one_line(tmp_path, settings):
    path = tmp_path / "metrics.parquet"
    path.write_bytes(EXAMPLE.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a parquet file .*; copy it again") as error:
        read_metrics(path, settings)
    assert "\n" not in str(error.value)
