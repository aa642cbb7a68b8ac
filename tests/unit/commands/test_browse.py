"""The command that writes the page of responses."""

import re

import pytest
from evaluation_folder import response, write_folder

from quagmires.commands import run_command
from quagmires.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    rows = [response(f"p{number}", 0, "\\boxed{4}") for number in range(30)]
    return write_folder(tmp_path / "out", {"easy": rows, "hard": rows[:3]}, {"p1": "What?"})


def test_the_page_is_written_beside_what_it_shows(folder, capsys):
    run_command("browse", [str(folder)])
    said = capsys.readouterr()
    assert re.fullmatch(rf"{folder}/responses.html: 33 responses, 0.\d MB\n", said.out) and said.err == ""
    assert (folder / "responses.html").read_text().endswith("</html>\n")


def test_a_sample_is_announced_on_the_terminal_and_in_the_page(folder, tmp_path, capsys):
    output = tmp_path / "elsewhere" / "page.html"
    run_command("browse", [str(folder), "--limit", "10", "--seed", "3", "--output", str(output)])
    said = capsys.readouterr()
    note = "A random sample: 10 of 33 responses (seed 3)."
    assert note in said.err and "10 responses" in said.out
    assert note in output.read_text() and not (folder / "responses.html").exists()


def test_benchmarks_are_chosen(folder, capsys):
    run_command("browse", [str(folder), "--benchmarks", "hard"])
    assert ": 3 responses" in capsys.readouterr().out
    with pytest.raises(UserError, match="has no 'herd'; it has easy, hard"):
        run_command("browse", [str(folder), "--benchmarks", "hard,herd"])


@pytest.mark.parametrize("limit", ["0", "-1", "1000000000", "many"])
def test_a_limit_no_page_can_hold_is_refused(folder, limit, capsys):
    with pytest.raises(SystemExit):
        run_command("browse", [str(folder), "--limit", limit])
    assert "argument --limit" in capsys.readouterr().err


def test_a_page_where_none_can_be_written_is_one_line(folder):
    with pytest.raises(UserError, match=r"easy: a folder; --output is the HTML file to write"):
        run_command("browse", [str(folder), "--output", str(folder / "easy")])
