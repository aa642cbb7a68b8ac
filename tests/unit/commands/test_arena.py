import json
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from quagmires.commands import run_command
from quagmires.common.errors import UserError
from quagmires.prediction.predictors import PREDICTORS
from support import ROOT

RETU = ROOT / "results" / "published" / "retu" / "retu.csv"


def page_example() -> str:
    """The CSV of docs/arena.md."""
    page = (ROOT / "docs" / "arena.md").read_text()
    [block] = re.findall(r"^    study,model,.*\n(?:    .*\n)+", page, re.MULTILINE)
    return re.sub("^    ", "", block, flags=re.MULTILINE)


def test_the_example_of_the_page_is_judged(tmp_path, capsys):
    (tmp_path / "mine.csv").write_text(page_example())
    run_command("arena", ["--metrics", "--studies", f"{tmp_path}/mine.csv", "--output", f"{tmp_path}/out",
                          "--published", str(ROOT / "results" / "published" / "tables.csv")])  # fmt: skip
    table = pd.read_csv(tmp_path / "out" / "arena.csv")
    ours = table[table["study"] == "mine"].set_index("predictor")
    assert set(PREDICTORS) < set(ours.index)
    # Pass@1 has 1, 3, 4, 2 where the outcome has 3, 4, 2, 1; the loss has 2, 1, 4, 3, and lower is better.
    assert ours.loc["pass_at_1", "rho"] == pytest.approx(1 - 6 * (4 + 1 + 4 + 1) / 60)
    assert ours.loc["generalization_loss", "rho"] == pytest.approx(1 - 6 * (0 + 0 + 1 + 1) / 60)
    assert ours.loc["pass_at_1", "cost"] == pytest.approx(10.6)
    assert ours.loc["generalization_loss_gain", "cost"] == pytest.approx(11.0)
    text = (tmp_path / "out" / "arena.md").read_text()
    assert capsys.readouterr().out.startswith(text) and "published, not recomputed" in text
    assert json.loads((tmp_path / "out" / "arena.json").read_text())["rows"]
    assert (tmp_path / "out" / "arena.tex").read_text().startswith("% \\usepackage{booktabs")
    assert np.ptp(matplotlib.image.imread(tmp_path / "out" / "arena.png")) > 0.5
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {
        ".csv",
        ".md",
        ".json",
        ".tex",
        ".png",
        ".svg",
        ".pdf",
    }


def test_the_same_command_writes_the_same_bytes(tmp_path, monkeypatch):
    for name in ("one", "two"):
        run_command("arena", ["--metrics", "--studies", str(RETU), "--output", f"{tmp_path}/{name}"])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_where_nothing_is_named_it_takes_what_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match="no studies: give --metrics results/<experiment>/metrics.parquet, or --studies"
    ):
        run_command("arena", [])
    assert not (tmp_path / "results").exists()
    folder = tmp_path / "results" / "published" / "mine"
    folder.mkdir(parents=True)
    (folder / "mine.csv").write_text(page_example())
    (folder / "mine.curves.csv").write_text("study,model,compute,score\nmine,random-10k,0,0.4\n")
    run_command("arena", [])
    assert "mine" in set(pd.read_csv("results/arena/arena.csv")["study"])


WRONG = {
    "--against pass": "--against: there is no 'pass'; choose one of pass_at_1",
    "--confidence 90": "--confidence: 90 is not between 0 and 1; give 0.9",
    "--seed -1": "--seed: -1 is below 0",
    "--metrics nothing.parquet": "nothing.parquet: no such file",
    "--published nothing.csv": "nothing.csv: no such file",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments, tmp_path):
    with pytest.raises(UserError) as error:
        given = [] if "--metrics" in arguments else ["--metrics"]
        run_command("arena", [*given, "--studies", str(RETU), *arguments.split(), "--output", f"{tmp_path}/out"])
    assert WRONG[arguments] in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
