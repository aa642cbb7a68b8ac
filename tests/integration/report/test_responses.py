"""The page of responses in a browser: what is read, chosen and typed, and what hostile responses cannot do."""

import json
from urllib.parse import quote

import pytest
from evaluation_folder import response, write_folder, write_raw
from report_page import HOSTILE

from quagmires.commands import run_command
from support import script

READY = "document.documentElement?.dataset.ready === 'yes'"
# What a model can write: markup, ends of elements, controls, other directions, halves of pairs, formulas that load.
NASTY = {
    "markup": f"</script></textarea></style><!-- {HOSTILE} <svg onload=alert(3)> <iframe src=javascript:alert(4)>",
    "odd": "a\u202eevil\u202c \u2067x\u2069 zero\x00bell\x07 soft\u00adhyphen \u200b\ufeff tag\U000e0041 end",
    "formula": "$\\href{javascript:alert(5)}{x}$ $\\includegraphics{http://evil.example/z.png}$ $\\htmlClass{top}{y}$ "
    "$\\style{position:fixed}{z}$ $\\def\\a{\\a\\a}\\a$ $\\rule{9999em}{9999em}$ \\[ <img src=x onerror=alert(6)> \\]",
    "long": "x" * 300_000,
    "deep": "$" + "{" * 3_000 + "}" * 3_000 + "$ and " + "\\boxed{" * 2_000,
    "controls": "\x00" * 60_000,
    "dollars": "$" * 30_001,
    "arabic": "مرحبا \\boxed{٤}",
}


@pytest.fixture
def page(tmp_path, browser):
    """Opens the page of a folder, and has it rendered; at the end nothing has complained, and nothing was loaded."""
    browser.messages.clear()
    browser.requests.clear()
    browser.resize(1280, 800)
    output = tmp_path / "responses.html"

    def open_page(benchmarks=None, problems=None, fragment="", shard=None):
        if benchmarks:
            folder = write_folder(tmp_path / "out", benchmarks, problems)
            if shard is not None:
                write_raw(next(folder.glob("*/samples/*")), [shard])
            run_command("browse", [str(folder), "--output", str(output)])
        browser.open(output, fragment)
        browser.wait(READY)
        return browser

    yield open_page
    assert browser.messages == []
    assert set(one.split("#")[0] for one in browser.requests) <= {output.as_uri(), "about:blank"}


def text(browser, selector: str) -> str:
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def listed(browser) -> str:
    return text(browser, "#count span")


def choose(browser, name: str, value: str) -> None:
    browser.evaluate(
        f"{{ const one = document.forms[0].elements[{json.dumps(name)}]; one.value = {json.dumps(value)};"
        " one.dispatchEvent(new Event('input', {bubbles: true})); }"
    )


def option(browser, name: str, label: str) -> str:
    options = f"[...document.forms[0].elements[{json.dumps(name)}].options]"
    return browser.evaluate(f"{options}.find(one => one.text.startsWith({json.dumps(label)}))?.value")


def many(count: int = 40) -> list[dict]:
    """Responses to problems p00, p01, ..., two to each, one of them right; the last is truncated."""
    rows = [
        response(f"p{number:02}", r, f"Thinking of {number}. \\boxed{{{4 + r}}}", n_tokens=10 * number + r)
        for number in range(count // 2)
        for r in (0, 1)
    ]
    return [*rows[:-1], rows[-1] | {"answer": None, "reason": "no_answer", "finish_reason": "length"}]


def test_a_response_is_read_beside_problem_answer_gold_and_verdict(page):
    rows = [
        response(
            "p1", 0, "So \\[ x = \\frac{1}{2} \\] gives $\\boxed{\\frac12}$", gold="\\frac{1}{2}", reason="verified"
        )
    ]
    rows[0] |= {"answer": "\\frac12", "correct": True, "n_tokens": 1234, "finish_reason": "length"}
    browser = page({"easy": rows}, {"p1": "What is $\\sqrt{x}$ for $5 and $6?"})
    shown = text(browser, "#page")
    for part in (
        "right",
        "verified: equal to the gold",
        "1,234 tokens",
        "truncated at the token limit",
        "repetition 0",
    ):
        assert part in shown, part
    assert "easy · problem p1 · repetition 0 · " in shown and "\\frac12" in shown and "\\frac{1}{2}" in shown
    tags = browser.evaluate(
        "[...document.querySelectorAll('#page math')].map(one => one.querySelector('mfrac,msqrt').tagName)"
    )
    assert tags == ["mfrac", "mfrac", "msqrt", "mfrac", "mfrac"]
    # Money is no formula.
    assert "for $5 and $6?" in shown


def test_one_key_shows_the_text_as_the_grader_saw_it(page):
    response_text = "Let $x$ be \\( \\frac12 \\).\n\n\\boxed{4}"
    browser = page({"easy": [response("p1", 0, response_text)]}, {"p1": "$y$?"})
    browser.press("m")
    browser.wait("document.querySelectorAll('#page math').length === 0")
    assert browser.evaluate("document.querySelector('#page .text:last-child').textContent") == response_text
    browser.press("m")
    browser.wait("document.querySelectorAll('#page math').length === 4")


def test_keys_go_through_responses_and_problems(page):
    browser = page({"easy": many()})
    assert text(browser, "#place") == "1 of 40"
    for key in ("j", "ArrowRight", "j", "k"):
        browser.press(key)
    assert text(browser, "#place") == "3 of 40" and "p01/0" in browser.evaluate("location.hash")
    for key, place in (("J", 5), ("J", 7), ("K", 5), ("K", 3), ("k", 2), ("k", 1), ("k", 1)):
        browser.press(key)
        assert text(browser, "#place") == f"{place} of 40", key
    browser.press("p")
    assert listed(browser).startswith("2 of 40 · 50.0 % right")
    browser.press("c")
    assert listed(browser).startswith("40 of 40")
    # What is typed into the search is text.
    browser.press("/")
    browser.write("jjm")
    browser.wait("document.querySelector('#count span').innerText.startsWith('0 of 40')")
    assert "No response passes these filters." in text(browser, "#page")
    browser.press("Escape")
    browser.press("c")
    browser.wait("document.querySelector('#count span').innerText.startsWith('40 of 40')")
    assert "Thinking of 0." in browser.wait("document.querySelector('#page .text')?.innerText")


def test_filters_leave_what_passes_them_all(page):
    browser = page({"easy": many(), "hard": [response("h", 0, "x", reason=None), *many()[-2:]]})
    assert listed(browser) == "43 of 43 · 50.0 % right"
    choose(browser, "benchmark", option(browser, "benchmark", "easy (40)"))
    choose(browser, "verdict", option(browser, "verdict", "wrong (20)"))
    browser.wait("document.querySelector('#count span').innerText.startsWith('20 of 43 · 0.0 % right')")
    assert option(browser, "reason", "different (19)") and not option(browser, "reason", "exact")
    choose(browser, "truncated", option(browser, "truncated", "yes (1)"))
    browser.wait("document.querySelector('#count span').innerText.startsWith('1 of 43')")
    assert "no answer" in text(browser, ".row")
    browser.press("c")
    for name, value in (("min", "100"), ("max", "111"), ("order", "longest")):
        choose(browser, name, value)
    browser.wait("document.querySelector('#count span').innerText.startsWith('4 of 43')")
    tokens = browser.evaluate("[...document.querySelectorAll('.row')].map(one => +one.innerText.split('·').pop())")
    assert tokens == [111, 110, 101, 100]
    browser.press("c")
    choose(browser, "verdict", option(browser, "verdict", "not graded (1)"))
    browser.wait("document.querySelector('#count span').innerText === '1 of 43'")


def test_search_looks_into_every_text_and_marks_what_it_found(page):
    browser = page({"easy": many(200)}, {"p42": "A rare problem"})
    choose(browser, "text", "THINKING OF 77.")
    browser.wait("document.querySelector('#count span').innerText.startsWith('2 of 200')")
    browser.wait("document.querySelector('#page mark')?.innerText === 'Thinking of 77.'")
    for where, needle, count in (
        ("problem", "rare", 2),
        ("problem", "p01", 2),
        ("answer", "5", 99),
        ("gold", "4", 200),
    ):
        choose(browser, "where", where)
        choose(browser, "text", needle)
        browser.wait(f"document.querySelector('#count span').innerText.startsWith('{count} of 200')")


def test_a_link_leads_to_its_response_and_filters(page):
    rows = many()
    rows[6] |= {"problem_id": "a/b?c#d e%41\u202e"}
    browser = page({"easy": rows, "hard": [response("p00", 5, "Of hard.")]}, fragment="#hard/p00/5")
    assert text(browser, "#page .text:last-child") == "Of hard."
    place = f"#easy/{quote('a/b?c#d e%41' + chr(0x202E))}/0"
    browser = page(fragment=f"{place}?verdict=right&min=30&order=longest")
    assert "Thinking of 3." in text(browser, "#page") and "a/b?c#d e%41‹U+202E›" in text(browser, "#page")
    assert browser.evaluate("location.hash") == f"{place}?verdict=right&min=30&order=longest"
    assert browser.evaluate("document.querySelector('#permalink').hash") == place
    assert listed(browser).startswith("17 of 41 · 100.0 % right")
    # Read though the filters leave it out, until another is chosen.
    browser = page(fragment="#easy/p00/1?verdict=right")
    assert "Thinking of 0." in text(browser, "#page") and text(browser, "#place") == "not in the list"
    browser.press("j")
    assert text(browser, "#place") == "1 of 20"
    for nothing in ("#easy/p00/9", "#none/p00/0", "#%E0%A4%A/x", "#easy"):
        browser = page(fragment=nothing)
        assert "not in this page" in text(browser, "#failure")
        assert text(browser, "#place") == "1 of 41"


def test_a_long_list_has_few_elements_and_scrolls_to_its_end(page):
    browser = page({"easy": many(2_000)})
    assert browser.evaluate("document.querySelectorAll('.row').length") < 40
    browser.evaluate("document.querySelector('#list').scrollTop = 1e9")
    browser.wait("document.querySelector('.row[aria-posinset=\"2000\"]')")
    browser.evaluate("document.querySelector('.row[aria-posinset=\"2000\"]').click()")
    assert text(browser, "#place") == "2,000 of 2,000"
    assert browser.evaluate("document.querySelectorAll('.row').length") < 40


# Elements of the page's own beside formulas, attributes that run something, and parts of formulas that could load.
TAGS = "[...new Set([...document.querySelectorAll('#page *')].filter(e => !e.closest('math')).map(e => e.localName))]"
HANDLERS = (
    "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on')).length"
)
LOADING = "document.querySelectorAll('math a, math img, math annotation, math [href], math [src]').length"
LAST = "document.querySelector('#page .text:last-child')"


@pytest.mark.parametrize("name", NASTY)
def test_hostile_texts_are_shown_and_do_nothing(page, name):
    nasty = NASTY[name]
    rows = [response("p1", 0, nasty, answer=nasty[:2000], gold=nasty[:2000])]
    rows.append(response(nasty[:200], 0, "x", reason=nasty[:100]))
    browser = page({"easy": rows}, {"p1": nasty, nasty[:200]: nasty})
    for setting in ("text", "asis"):
        browser.wait(f"document.querySelector('#page .{setting}')")
        assert set(browser.evaluate(TAGS)) <= {"span", "div", "p", "h2", "strong", "button", "math"}
        assert browser.evaluate(HANDLERS) == 0 and browser.evaluate(LOADING) == 0
        browser.press("m")
    browser.press("m")
    browser.wait("document.querySelector('#page .asis')")
    if len(nasty) < 50_000 and name != "odd":
        assert browser.evaluate(f"{LAST}.textContent") == nasty
    for selector in ("body", "#page"):
        one = f"document.querySelector('{selector}')"
        assert browser.evaluate(f"{one}.scrollWidth <= {one}.clientWidth")


def test_what_cannot_be_seen_is_shown_by_its_number(page):
    browser = page({"easy": [response("p1", 0, NASTY["odd"], answer="4\u202e")]})
    shown = browser.evaluate(f"[...{LAST}.querySelectorAll('.odd')].map(one => one.innerText)")
    expected = ["202E", "202C", "2067", "2069", "0000", "0007", "00AD", "200B", "FEFF", "E0041"]
    assert shown == [f"U+{one}" for one in expected]
    assert "U+202E" in text(browser, ".answers") and "4‹U+202E›" in text(browser, ".row")
    browser = page({"easy": [response("p1", 0, NASTY["controls"])]})
    assert "U+0000 × 50,000" in text(browser, "#page") and "show 10,000 of 10,000 more" in text(browser, "#page")


def test_halves_of_surrogate_pairs_are_shown(page):
    # pandas writes none; a file by another writer can hold them.
    texts = "one \ud800 two \udc00 three \U0001f600".encode("utf-8", "surrogatepass")
    browser = page({"easy": [response("p1", 0, "x")]}, shard=texts)
    assert text(browser, "#page .text:last-child") == "one U+D800 two U+DC00 three \U0001f600"


def test_a_formula_that_temml_cannot_read_stays_as_it_is(page):
    browser = page({"easy": [response("p1", 0, "Fine $x$, broken $\\frac{1$, unknown $\\nonsense$, \\boxed{٤}")]})
    assert text(browser, "#page .text:last-child").endswith("broken $\\frac{1$, unknown $\\nonsense$, \\boxed{٤}")
    assert browser.evaluate(f"{LAST}.querySelectorAll('math').length") == 1


def test_a_long_text_comes_in_parts(page):
    browser = page({"easy": [response("p1", 0, "x" * 120_000 + " the end")]})
    assert browser.evaluate(f"{LAST}.textContent.length") < 51_000
    for _ in range(2):
        browser.evaluate(f"{LAST}.querySelector('button').click()")
    assert text(browser, "#page .text:last-child").endswith(" the end")


def test_a_file_that_was_cut_off_says_so(page, browser, tmp_path):
    page({"easy": many(200)})
    output = tmp_path / "responses.html"
    html = output.read_text()
    output.write_text(html[: html.index('<script type="text/plain" id="texts-3"')])
    browser.open(output)
    browser.wait(READY)
    browser.evaluate("document.querySelector('#list').scrollTop = 1e9")
    browser.wait("document.querySelector('.row[aria-posinset=\"200\"]')")
    browser.evaluate("document.querySelector('.row[aria-posinset=\"200\"]').click()")
    assert "cut off" in browser.wait("document.querySelector('#failure').innerText")


def test_on_a_telephone_there_is_the_list_or_the_response(page, browser):
    browser.resize(390, 800)
    page({"easy": many()})
    visible = "[...document.querySelectorAll('#list, #read')].filter(one => one.offsetParent).map(one => one.id).join()"
    assert browser.evaluate(visible) == "list"
    browser.evaluate("document.querySelector('.row').click()")
    assert browser.evaluate(visible) == "read"
    assert browser.evaluate("document.body.scrollWidth") <= 390
    browser.evaluate("document.querySelector('#back').click()")
    assert browser.evaluate(visible) == "list"


def test_the_script_writes_the_page_of_a_folder_of_the_demo(small_run, browser, tmp_path):
    folder = next(small_run.glob("toy/*/sft/eval"))
    said = script("browse.py", folder, "--output", tmp_path / "page.html")
    assert "responses, " in said.stdout and said.stderr == ""
    browser.open(tmp_path / "page.html")
    browser.wait(READY)
    assert "Start at (" in text(browser, "#page")
