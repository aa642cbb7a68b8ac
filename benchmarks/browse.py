"""How soon a page of responses is readable in headless Chromium, against the same as pandas' DataFrame.to_html.

    python benchmarks/browse.py --responses 10000

Both pages have the same generated responses, problems and grades. Ours is readable when list and first response have
been drawn, theirs when anything has (first-contentful-paint). Whole is: all of the file is loaded, and what is in view
has been drawn. Each page is opened anew several times, in a browser that is there already, and medians count. Beside
it: searching all texts for what none of them has, and the next response.
Ends with status 1 if a promise is broken.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pandas as pd
from generated_responses import generated

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import chromium  # noqa: E402

from quagmires.grading.verdicts import DIFFERENT, EXACT  # noqa: E402
from quagmires.reporting.html.response_files import read_responses  # noqa: E402
from quagmires.reporting.html.responses import write_page  # noqa: E402

MAX_SECONDS = 2.0
MIN_RATIO = 3.0
REPETITIONS = 16
READY = "document.documentElement?.dataset.ready === 'yes'"
# After the next frame what is in view has been drawn.
DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"
COUNT = "document.querySelector('#count span').innerText"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--responses", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=1, help="how many times as long as usual, 2,000 characters")
    parser.add_argument("--runs", type=int, default=5, help="openings of each page, of which the median counts")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if chromium.PROGRAM is None:
        sys.exit("needs Chromium: none of chromium, chromium-browser, google-chrome, chrome is on the path")

    with tempfile.TemporaryDirectory() as temporary:
        folder, page, plain = (Path(temporary, name) for name in ("out", "responses.html", "to_html.html"))
        rows = responses(options.responses, options.length, options.seed)
        characters = rows["response"].str.len().sum()
        write_folder(folder, rows)
        writing = timed(lambda: write_page(read_responses(folder), page))
        their_writing = timed(lambda: rows.to_html(plain, index=False))
        sizes = [file.stat().st_size / 1e6 for file in (page, plain)]
        with chromium.Browser() as browser:
            ours = [open_ours(browser, page) for _ in range(options.runs)]
            stepping, searching = step(browser), search(browser, options.responses)
            theirs = [open_page(browser, plain) for _ in range(options.runs)]
            version = browser.send("Browser.getVersion")["product"]

    print(f"{version}, {os.cpu_count()} cores; {len(rows):,} responses, {characters / 1e6:.1f} million characters")
    print(f"{'':<22}{'quagmires browse':>18}{'DataFrame.to_html':>20}{'ratio':>8}")
    print(f"{'size':<22}{sizes[0]:>15.1f} MB{sizes[1]:>17.1f} MB{sizes[1] / sizes[0]:>8.1f}")
    print(f"{'written in':<22}{writing:>16.2f} s{their_writing:>18.2f} s{their_writing / writing:>8.1f}")
    readable, whole = (median(one) for one in zip(*ours, strict=True))
    their_readable, their_whole = (median(one) for one in zip(*theirs, strict=True))
    print(f"{'readable after':<22}{readable:>16.2f} s{their_readable:>18.2f} s{their_readable / readable:>8.1f}")
    print(f"{'whole after':<22}{whole:>16.2f} s{their_whole:>18.2f} s{their_whole / whole:>8.1f}")
    print(f"{'next response':<22}{stepping:>16.3f} s")
    print(f"{'search of all texts':<22}{searching:>16.2f} s")
    if max(readable, whole) >= MAX_SECONDS or their_whole / whole < MIN_RATIO:
        sys.exit(f"promised: less than {MAX_SECONDS:g} s, and whole {MIN_RATIO:g} times as soon as to_html")


def responses(count: int, length: int, seed: int) -> pd.DataFrame:
    """Responses to made-up problems, 16 to each, with the grades that they were made for."""
    rng = random.Random(seed)
    rows = []
    for number, row in enumerate(generated(rng, -(-count // REPETITIONS))[:count]):
        reasoning, _, box = row["response"].rpartition("So the answer is")
        text = reasoning * length + "So the answer is" + box
        rows.append(
            {
                "problem_id": row["problem_id"],
                "repetition": number % REPETITIONS,
                "problem": f"Find ${row['gold']}$, of the kind {row['source']}.",
                "gold": row["gold"],
                "answer": box.partition("\\boxed{")[2].removesuffix("}$."),
                "correct": row["recorded_correct"],
                "reason": EXACT if row["recorded_correct"] else DIFFERENT,
                "n_tokens": len(text) // 3,
                "finish_reason": "length" if rng.random() < 0.05 else "stop",
                "response": text,
            }
        )
    return pd.DataFrame(rows)


def write_folder(folder: Path, rows: pd.DataFrame) -> None:
    """What an evaluation leaves of them."""
    files = {
        "generated/samples/repetitions00000-00015.parquet": rows.drop(columns=["problem", "gold", "answer", "correct"]),
        "generated/grades.parquet": rows.drop(columns=["problem", "response"]),
        "benchmarks/generated.parquet": rows.drop_duplicates("problem_id")
        .rename(columns={"problem_id": "id"})
        .drop(columns="answer")
        .rename(columns={"gold": "answer"})[["id", "problem", "answer"]],
    }
    for name, table in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path, index=False)


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def open_ours(browser: chromium.Browser, page: Path) -> tuple[float, float]:
    """Seconds from asking for the page until its first response is on the screen, and until it is whole."""
    _, whole = open_page(browser, page)
    browser.wait(READY, 120)
    readable = browser.evaluate("performance.getEntriesByName('ready')[0].startTime") / 1000
    return readable, max(readable, whole)


def open_page(browser: chromium.Browser, page: Path) -> tuple[float, float]:
    """Seconds from asking for a page until something is on the screen, and until it is whole."""
    browser.open(page)
    browser.wait("location.protocol === 'file:' && document.readyState === 'complete'", 120)
    whole = browser.evaluate(DRAWN)
    paint = browser.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime") or whole
    loaded = browser.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
    return paint / 1000, max(paint, loaded) / 1000


def step(browser: chromium.Browser) -> float:
    """Seconds from the key to the next response being drawn; median of 50."""
    times = "[]"
    return browser.evaluate(
        f"(async () => {{ const times = {times}; const page = document.querySelector('#page');"
        " for (let i = 0; i < 50; i += 1) { const before = performance.now(); const old = page.firstChild;"
        " document.querySelector('#next').click();"
        " while (page.firstChild === old) await new Promise(done => setTimeout(done));"
        f" await {DRAWN}; times.push(performance.now() - before); }}"
        " return times.sort((a, b) => a - b)[25]; })()"
    ) / 1000  # fmt: skip


def search(browser: chromium.Browser, count: int) -> float:
    """Seconds until all texts have been searched for what none has."""
    started = time.perf_counter()
    browser.evaluate(
        "{ const one = document.forms[0].elements.text; one.value = 'nowhere to be found';"
        " one.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    browser.wait(f"{COUNT} === '0 of {count:,}'", 300)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
