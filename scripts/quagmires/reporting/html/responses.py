"""The page of responses: one HTML file to look through an evaluation, read without a network.

A list that is filtered needs a few numbers of each response, and a reader one text at a time. So the numbers are one
compressed JSON that is read at once, and the texts follow in blocks of 32 that are unpacked when one of them is looked
at or searched: 10,000 responses open as fast as 100 (`make benchmark-browse`). Base64 of gzip is what browsers unpack
themselves (`DecompressionStream`), and holds no character that could end an element.

Formulas are set as MathML by Temml, in the page and only those in view. Two thousand tokens of LaTeX cannot be read as
they stand, so problem, answer and response are all set; one key shows them raw, as the grader saw them. Temml makes
MathML alone, which browsers draw with a font of the machine. KaTeX needs its fonts in the file for its own layout, and
a library for Python would have to set every formula of every response beforehand.

A response is hostile. It becomes text nodes and MathML, nothing else, and the policy of the page lets the browser run
its two scripts by their hashes, and load nothing.

The folder temml/ holds dist/temml.min.js and LICENSE of the npm package temml, as they are. For a newer one: `npm pack
temml`, copy both, and change the version in the template and the hash in the test of this module.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from quagmires.common.files import whole_file
from quagmires.config.gold_rules import Gold
from quagmires.grading.verdicts import REASONS
from quagmires.reporting.html.response_files import NOT_GRADED, EvaluatedResponses

HERE = Path(__file__).parent
TEMPLATE = "responses.html.jinja"
# Responses in a block; responses.js has the same number.
BLOCK = 32
# What the browser can scroll through: a list of more rows would be higher than any element may be.
MOST = 500_000


def write_page(found: EvaluatedResponses, output: Path) -> None:
    """Write the page, whole or not at all; of the texts, one block is in memory at a time."""
    parts = _template().generate(
        title=f"Responses of {found.name}",
        notes=found.notes,
        index=_packed(index(found)),
        blocks=_blocks(found.texts()),
        scripts=[Markup(text) for text in scripts()],
        hashes=[content_hash(text) for text in scripts()],
        notice=_source("temml/LICENSE"),
    )
    with whole_file(output) as temporary, open(temporary, "w", encoding="utf-8") as page:
        page.writelines(parts)


def index(found: EvaluatedResponses) -> dict[str, Any]:
    """What the page knows of every response before it reads any: columns of numbers, and the texts they point to."""
    rows = found.rows
    benchmarks = list(dict.fromkeys(rows["benchmark"]))
    reasons = [one for one in (*REASONS, NOT_GRADED) if one in set(rows["reason"])]
    reasons += [one for one in dict.fromkeys(rows["reason"]) if one not in reasons]
    keys = list(zip(rows["benchmark"], rows["problem_id"], strict=True))
    golds: dict[tuple[str, str], str | None] = {}
    for key, gold in zip(keys, rows["gold"], strict=True):
        golds.setdefault(key, gold)
    order = {key: place for place, key in enumerate(found.problems)}
    # As the benchmark has them; what it does not have, as it comes.
    problems = sorted(golds, key=lambda key: (benchmarks.index(key[0]), order.get(key, len(order))))
    answers = [one for one in dict.fromkeys(rows["answer"]) if one is not None]
    of_problem = {key: number for number, key in enumerate(problems)}
    of_answer = {answer: number for number, answer in enumerate(answers)}
    of_reason = {reason: number for number, reason in enumerate(reasons)}
    return {
        "benchmarks": benchmarks,
        "reasons": reasons,
        "problems": [
            {
                "benchmark": benchmarks.index(key[0]),
                "id": key[1],
                "text": found.problems.get(key),
                "gold": shown_gold(golds[key]),
            }
            for key in problems
        ],
        "answers": answers,
        "problem": [of_problem[key] for key in keys],
        "repetition": rows["repetition"].tolist(),
        # 1 right, 0 wrong, 2 without a grade
        "verdict": [2 if one is None else int(one) for one in rows["correct"]],
        "reason": [of_reason[one] for one in rows["reason"]],
        "tokens": rows["n_tokens"].tolist(),
        "truncated": rows["truncated"].astype(int).tolist(),
        "answer": [-1 if one is None else of_answer[one] for one in rows["answer"]],
    }


def shown_gold(text: str | None) -> dict[str, Any] | None:
    """A gold as it is shown: the answers it accepts, and what they must be besides.

    >>> shown_gold('{"accepted": ["4.2"], "tolerance": 0.1}')
    {'accepted': ['4.2'], 'note': 'within 0.1'}
    """
    if text is None:
        return None
    gold = Gold.from_text(text)
    parts = ["any one of them is right"] if len(gold.accepted) > 1 else []
    parts += ["all parts, in any order"] if gold.several else []
    parts += [f"within {gold.tolerance:g}"] if gold.tolerance is not None else []
    return {"accepted": list(gold.accepted), "note": "; ".join(parts)}


def scripts() -> list[str]:
    """The two scripts of the page: Temml and ours."""
    return [_source("temml/temml.min.js"), _source("responses.js")]


def content_hash(script: str) -> str:
    """A script as a Content-Security-Policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _blocks(texts: Iterator[str]) -> Iterator[str]:
    while block := list(islice(texts, BLOCK)):
        yield _packed(block)


def _packed(value: Any) -> str:
    """Base64 of gzip of JSON. Escaped to ASCII, halves of surrogate pairs reach the page as they are."""
    content = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode()


def _source(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE)
