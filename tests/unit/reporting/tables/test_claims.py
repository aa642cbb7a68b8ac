"""The table of the paper's claims: its numbers, what is shown of them, and its files."""

import json

import pandas as pd
import pytest
from made_up_metrics import METRICS, PUBLISHED, SETTINGS, settings, texts_of, without_rl
from pydantic import ValidationError

from quagmires.config.schema import TableSettings
from quagmires.prediction.claims import CLAIMS, CONFIDENCE, result, study_of
from quagmires.reporting.tables.claims import COLUMNS, claims_frame, claims_layout
from quagmires.reporting.tables.formats import latex, markdown

TABLE = TableSettings(statistic="claims", studies=["llama", "chosen"])


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return claims_frame(METRICS, TABLE, SETTINGS)


def line(frame: pd.DataFrame, study: str, claim: str) -> pd.Series:
    (found,) = (row for _, row in frame.iterrows() if (row["study"], row["claim"]) == (study, claim))
    return found


def test_every_claim_has_a_row_for_each_study(frame):
    assert list(frame) == list(COLUMNS)
    assert list(zip(frame["study"], frame["claim"], strict=True)) == [
        (study, claim) for study in TABLE.studies for claim in CLAIMS
    ]
    assert set(frame["confidence"]) == {CONFIDENCE}
    one = line(frame, "llama", "loss_predicts_gain")
    models = METRICS[METRICS["study"] == "llama"].reset_index(drop=True)
    expected = result(CLAIMS["loss_predicts_gain"], study_of(models, "dataset", "best", SETTINGS.seed))
    assert (one["value"], one["low"], one["high"]) == (
        expected.measured.value,
        expected.measured.low,
        expected.measured.high,
    )
    assert (one["verdict"], one["count"], one["null"], one["side"]) == (expected.verdict, 10, 0, "below")


def test_what_a_study_has_not_the_models_for_is_said(frame):
    assert line(frame, "chosen", "loss_predicts_gain")["verdict"] == "not tested"
    assert "Section 4.3" in line(frame, "chosen", "loss_predicts_gain")["note"]
    assert line(frame, "llama", "shortest_end_lower")["note"].startswith("2 pairs of shortest and random are needed")
    nothing = claims_frame(without_rl(METRICS, "llama", 10), TABLE, SETTINGS)
    assert set(nothing.loc[nothing["study"] == "llama", "verdict"]) == {"not tested"}
    assert set(claims_frame(METRICS.iloc[:0], TABLE, SETTINGS)["verdict"]) == {"not tested"}


def test_readers_see_claims_below_and_studies_beside_each_other(frame):
    layout = claims_layout(frame)
    assert [column.title for column in layout.columns] == ["the paper says", "measured here", "llama", "chosen"]
    rows = texts_of(layout)
    assert len(rows) == len(CLAIMS)
    regret = line(frame, "llama", "sft_score_regret")
    points = f"{100 * regret['value']:.1f} [{100 * regret['low']:.1f}, {100 * regret['high']:.1f}]"
    assert rows[0][0].endswith("(Section 2.1)") and rows[0][1].endswith(", in points")
    assert rows[0][2].strip("*") == f"{regret['verdict']}: {points}, n = 10; {regret['note']}"
    for row, claim in zip(rows, CLAIMS, strict=True):
        for study, text in zip(TABLE.studies, row[2:], strict=True):
            one = line(frame, study, claim)
            assert text.strip("*").startswith(f"{one['verdict']}: ")
            assert text.startswith("**") == (one["verdict"] in ("confirmed", "contradicted"))
            assert (", n = " in text) == (one["verdict"] != "not tested")
    tested = (frame["verdict"] != "not tested").sum()
    assert any(note.startswith(f"{tested} numbers were tested") for note in layout.notes)
    assert "Takeaway 1" in markdown(layout) and 4 * r"p{0.24\textwidth}" in latex(layout, "claims", "Claims.")


def test_the_script_writes_it_like_other_tables(tmp_path, monkeypatch):
    import make_tables

    given = settings({"claims": TABLE})
    (tmp_path / "analysis.json").write_text(given.model_dump_json())
    METRICS.to_parquet(tmp_path / "metrics.parquet")
    monkeypatch.setattr(
        "sys.argv",
        ["make_tables.py", f"--metrics={tmp_path / 'metrics.parquet'}", f"--analysis={tmp_path / 'analysis.json'}"]
        + [f"--published={PUBLISHED}", f"--output={tmp_path / 'tables'}"],
    )
    make_tables.main()
    written = pd.read_csv(tmp_path / "tables" / "claims.csv")
    assert len(written) == 2 * len(CLAIMS) and set(written["verdict"]) <= {
        "confirmed",
        "not seen",
        "contradicted",
        "not tested",
    }
    assert len(json.loads((tmp_path / "tables" / "claims.json").read_text())["rows"]) == len(CLAIMS)
    text = (tmp_path / "tables" / "tables.md").read_text()
    assert "## Claims" in text and "95 % interval" in text
    assert (tmp_path / "tables" / "claims.tex").is_file() and (tmp_path / "tables" / "claims.md").is_file()


def test_a_table_of_claims_takes_studies_alone():
    with pytest.raises(ValidationError, match="takes `studies` alone"):
        TableSettings(statistic="claims", studies=["llama"], predictors=["average"])
