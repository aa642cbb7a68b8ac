"""The page of responses: what is in the file, before any browser."""

import base64
import gzip
import json
import re

import pytest
from evaluation_folder import response, write_folder
from report_page import HOSTILE

from quagmires.common.errors import UserError
from quagmires.reporting.html.response_files import read_responses
from quagmires.reporting.html.responses import BLOCK, HERE, content_hash, index, scripts, shown_gold, write_page

# Of dist/temml.min.js in npm's temml 0.13.5.
TEMML = "sha256-GrGRSK/g28g2t6dPNEBxs/OnCnqCWa5ASedolPzfjZU="
PROBLEMS = {"p2": "What is 1 + 3?", "p1": "What is 2 + 2?"}


def unpacked(text: str):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def elements(html: str) -> dict:
    """The data of a page by the ids of their elements."""
    return {name: unpacked(text) for name, text in re.findall(r'<script type="text/plain" id="([^"]+)">([^<]*)<', html)}


@pytest.fixture
def page(tmp_path):
    """Writes a folder, then its page."""

    def make(rows, problems=None, name="easy") -> str:
        found = read_responses(write_folder(tmp_path / "out", {name: rows}, problems))
        write_page(found, tmp_path / "page.html")
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return make


def test_index_has_columns_of_numbers_that_point_to_texts(tmp_path):
    rows = [
        response("p1", 0, "\\boxed{4}"),
        response("p1", 1, "\\boxed{5}", finish_reason="length"),
        response("p2", 0, "no box"),
        response("p2", 1, "\\boxed{5}", reason=None),
        response("unknown", 0, "\\boxed{4}", reason="verified"),
    ]
    found = read_responses(write_folder(tmp_path, {"easy": rows}, PROBLEMS))
    made = index(found)
    # In the benchmark's order, not in that of the files; what the benchmark lacks comes last.
    assert [(one["id"], one["text"]) for one in made["problems"]] == [*PROBLEMS.items(), ("unknown", None)]
    assert all(one["gold"] == {"accepted": ["4"], "note": ""} for one in made["problems"])
    named = [
        (
            made["problems"][made["problem"][row]]["id"],
            made["repetition"][row],
            made["verdict"][row],
            made["reasons"][made["reason"][row]],
            made["truncated"][row],
            made["answers"][made["answer"][row]] if made["answer"][row] >= 0 else None,
        )
        for row in range(5)
    ]
    assert sorted(named) == [
        ("p1", 0, 1, "exact", 0, "4"),
        ("p1", 1, 0, "different", 1, "5"),
        ("p2", 0, 0, "no_answer", 0, None),
        ("p2", 1, 2, "not_graded", 0, None),
        ("unknown", 0, 1, "verified", 0, "4"),
    ]
    assert sorted(made["answers"]) == ["4", "5"]


def test_texts_come_in_blocks_in_the_order_of_the_index(page):
    html = page([response(f"p{number:03}", 0, f"text {number}") for number in range(BLOCK + 1)])
    data = elements(html)
    assert list(data) == ["index", "texts-0", "texts-1"]
    texts = [*data["texts-0"], *data["texts-1"]]
    ids = [data["index"]["problems"][number]["id"] for number in data["index"]["problem"]]
    assert [f"p{int(text.removeprefix('text ')):03}" for text in texts] == ids
    assert f"const BLOCK = {BLOCK};" in (HERE / "responses.js").read_text()


def test_what_is_hostile_is_nowhere_in_the_html(page):
    hostile = f"</script>{HOSTILE}<!-- \u202e \x00 "
    html = page([response("p1", 0, hostile, answer=hostile, gold=hostile, reason=hostile)], {"p1": hostile})
    assert "evil.example" not in html and "alert(" not in html and "\u202e" not in html
    data = elements(html)
    assert data["texts-0"] == [hostile] and data["index"]["answers"] == [hostile]
    # The two scripts are the page's own, and close where they should.
    assert html.count("</script>") == 2 + len(data)


def test_the_name_of_a_model_is_escaped(tmp_path):
    folder = write_folder(tmp_path, {"easy": [response("p1", 0, "x")]})
    (folder / "samples.json").write_text(
        (folder / "samples.json").read_text().replace('"a/model"', json.dumps(HOSTILE)), encoding="utf-8"
    )
    write_page(read_responses(folder), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text().split("<script")[0]
    assert "<img" not in html and "&lt;img" in html


def test_the_policy_names_the_two_scripts_and_nothing_else(page):
    html = page([response("p1", 0, "x")])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    inline = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert [content_hash(script) for script in inline] == re.findall(r"'(sha256-[^']+)'", policy)
    assert policy.startswith("default-src 'none';") and inline == scripts()
    assert (
        not re.search(r'\s(src|href)="(?!#)', html) and "@import" not in html and "url(" not in html.split("<script")[0]
    )


def test_the_bundled_library_is_the_published_one_with_its_licence(page):
    assert content_hash(scripts()[0]) == TEMML
    assert "Copyright (c) 2020 Ron Kok" in page([response("p1", 0, "x")])


def test_same_responses_give_the_same_bytes(page):
    rows = [response("p1", 0, "x")]
    assert page(rows) == page(rows)


def test_a_page_is_whole_or_absent(tmp_path):
    folder = write_folder(tmp_path, {"easy": [response("p1", 0, "x" * 5000), response("p1", 1, "y")]})
    found = read_responses(folder)
    (folder / "easy/samples/repetitions00001-00001.parquet").write_text("gone")
    with pytest.raises(UserError, match=r"repetitions00001-00001.parquet: damaged \("):
        write_page(found, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists() and not list(tmp_path.glob(".page*"))


def test_a_gold_says_what_it_accepts():
    assert shown_gold(None) is None
    assert shown_gold("1/2") == {"accepted": ["1/2"], "note": ""}
    several = '{"accepted": ["1,2", "3,4"], "several": true, "tolerance": 0.01}'
    note = "any one of them is right; all parts, in any order; within 0.01"
    assert shown_gold(several) == {"accepted": ["1,2", "3,4"], "note": note}
