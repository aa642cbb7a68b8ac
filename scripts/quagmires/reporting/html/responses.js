"use strict";
// The page of responses (responses.html.jinja, responses.py).
//
// The index has a few numbers of every response; texts come in blocks, unpacked when one is looked at or searched.
// A text of others becomes a text node, by `show` or `plain`, or a formula, by Temml, which makes MathML nodes: nothing
// here is parsed as HTML.
(() => {
  const BLOCK = 32; // responses in a block, as responses.py writes them
  const ROW = 48; // pixels, as the style sheet has it
  const KEPT = 60e6; // characters of unpacked blocks that stay in memory
  const SHOWN = 50000; // characters of a text that are shown at once
  const LONGEST_FORMULA = 4000;
  const MOST_FORMULAS = 2000;
  const VERDICTS = ["wrong", "right", "not graded"];
  const CLASSES = ["wrong", "right", "ungraded"];
  const MARKS = ["✗", "✓", "–"];
  const REASONS = {
    exact: "the same as the gold",
    verified: "equal to the gold by computer algebra",
    different: "another value than the gold",
    no_answer: "no answer found",
    timeout: "not compared in time",
    unparsable: "answer or gold cannot be read",
    not_graded: "without a grade",
  };
  const FILTERS = ["benchmark", "verdict", "reason", "truncated", "min", "max", "text", "where", "order", "problem"];

  const by = (id) => document.getElementById(id);
  const form = by("filters");
  const list = by("list");
  const space = list.firstElementChild;
  const page = by("page");
  let index; // what responses.py made
  let problems; // of the index, each with its responses' rows
  let orders = {}; // name -> all rows in that order
  let shown = []; // rows that pass the filters, in order
  let current = -1; // the row that is read
  let problem = -1; // the only problem listed, or -1
  let raw = false;
  let generation = 0; // of the filters: an older search stops

  // ---------------------------------------------------------------------------------------------------- packed data

  const unpack = async (text) => {
    const binary = atob(text.trim());
    const bytes = Uint8Array.from({ length: binary.length }, (_, place) => binary.charCodeAt(place));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  const pause = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  const blocks = new Map(); // number -> promise of its texts, the least recently used first
  let kept = 0;

  const block = (number) => {
    let found = blocks.get(number);
    blocks.delete(number);
    if (!found) {
      found = readBlock(number);
      found.catch(() => blocks.delete(number));
    }
    blocks.set(number, found);
    return found;
  };

  const readBlock = async (number) => {
    let element = by(`texts-${number}`);
    // The page is read while it is still being loaded: an element is whole when something follows it.
    while (document.readyState === "loading" && !(element && element.nextSibling)) {
      await pause(20);
      element = by(`texts-${number}`);
    }
    if (!element) throw new Error("the file is cut off: write it again, or copy it again");
    const texts = await unpack(element.textContent);
    texts.size = texts.reduce((sum, text) => sum + text.length, 0);
    kept += texts.size;
    for (const [other, promise] of blocks) {
      if (kept <= KEPT || other === number) break;
      blocks.delete(other);
      promise.then((gone) => { kept -= gone.size; }, () => {});
      await promise.catch(() => {});
    }
    return texts;
  };

  const responseText = async (row) => (await block(Math.floor(row / BLOCK)))[row % BLOCK];

  // ------------------------------------------------------------------------------------------------- texts of others

  // Characters that cannot be seen, or that change how others are seen: controls, bidi controls, blanks without width,
  // halves of surrogate pairs, tags.
  const ODD = new RegExp(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e" +
      "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\ufffe\\uffff]" +
      "|\\udb40[\\udc00-\\udfff]|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
    "g",
  );
  const code = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  const isOdd = (text) => text.search(ODD) >= 0;

  // A short text for one line: odd characters by their numbers, as plain text.
  const plain = (text, longest = 200) =>
    text.slice(0, longest).replace(/\s+/g, " ").replace(ODD, (one) => `‹${code(one)}›`) + (text.length > longest ? "…" : "");

  const element = (tag, classes = "", text = "") => {
    const made = document.createElement(tag);
    if (classes) made.className = classes;
    if (text) made.textContent = text;
    return made;
  };

  // Append a text: odd characters are shown by their numbers, and what is searched for is marked.
  const show = (parent, text, needle = "") => {
    let from = 0;
    const rest = (to) => {
      if (to > from) highlight(parent, text.slice(from, to), needle);
    };
    for (const match of text.matchAll(ODD)) {
      if (match.index < from) continue;
      rest(match.index);
      let count = 1;
      const one = match[0];
      while (text.startsWith(one, match.index + count * one.length)) count += 1;
      from = match.index + count * one.length;
      parent.append(element("span", "odd", count > 1 ? `${code(one)} × ${count.toLocaleString("en")}` : code(one)));
    }
    rest(text.length);
  };

  const highlight = (parent, text, needle) => {
    const low = needle ? text.toLowerCase() : "";
    let from = 0;
    // Lower case may have another length; then nothing is marked.
    for (let at; needle && low.length === text.length && (at = low.indexOf(needle, from)) >= 0; from = at + needle.length) {
      parent.append(text.slice(from, at), element("mark", "", text.slice(at, at + needle.length)));
    }
    parent.append(text.slice(from));
  };

  // -------------------------------------------------------------------------------------------------------- formulas

  const OPENS = /\\[\\$]|\$\$|\$|\\\[|\\\(|\\begin\{((?:align|alignat|equation|gather|cases|array|[pbvBV]?matrix)\*?)\}|\\boxed\s*(?=\{)/g;

  // Parts of a text: { text } or { text, tex, display }, where `text` is what stands there.
  const parts = (text) => {
    const found = [];
    let from = 0;
    const add = (start, end, tex, display) => {
      if (start > from) found.push({ text: text.slice(from, start) });
      found.push({ text: text.slice(start, end), tex, display });
      from = OPENS.lastIndex = end;
    };
    OPENS.lastIndex = 0;
    for (let match; (match = OPENS.exec(text)); ) {
      const start = match.index;
      const inside = OPENS.lastIndex;
      const opens = match[0];
      const near = text.slice(inside, inside + LONGEST_FORMULA);
      if (opens === "$") {
        const close = dollar(near, text[start + 1]);
        if (close >= 0) add(start, inside + close + 1, near.slice(0, close), false);
      } else if (opens === "$$" || opens === "\\[" || opens === "\\(") {
        const closer = { "$$": "$$", "\\[": "\\]", "\\(": "\\)" }[opens];
        const close = near.indexOf(closer);
        if (close > 0) add(start, inside + close + 2, near.slice(0, close), opens !== "\\(");
      } else if (match[1]) {
        const closer = `\\end{${match[1]}}`;
        const close = near.indexOf(closer);
        const end = inside + close + closer.length;
        if (close >= 0) add(start, end, text.slice(start, end), true);
      } else if (opens.startsWith("\\boxed")) {
        const end = balanced(near);
        if (end > 0) add(start, inside + end, text.slice(start, inside + end), false);
      }
    }
    if (from < text.length) found.push({ text: text.slice(from) });
    return found;
  };

  // Where a formula that $ opened closes, -1 if it was an amount of money: pandoc's rules.
  const dollar = (near, first) => {
    if (first === undefined || /\s/.test(first)) return -1;
    for (let at = 0; at < near.length; at += 1) {
      if (near[at] === "\\") at += 1;
      else if (near[at] === "\n" && near[at + 1] === "\n") return -1;
      else if (near[at] === "$") return at > 0 && !/\s/.test(near[at - 1]) && !/\d/.test(near[at + 1] ?? "") ? at : -1;
    }
    return -1;
  };

  // The end of the group in braces with which a text begins, -1 if it does not end.
  const balanced = (near) => {
    let depth = 0;
    for (let at = 0; at < near.length; at += 1) {
      if (near[at] === "\\") at += 1;
      else if (near[at] === "{") depth += 1;
      else if (near[at] === "}" && (depth -= 1) === 0) return at + 1;
    }
    return -1;
  };

  // Letters that are written from right to left: in a formula each would stand alone, in the other order.
  const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

  // A formula as MathML, null where Temml cannot read it or it holds what cannot be seen.
  const formula = (tex, display) => {
    if (tex.length > LONGEST_FORMULA || isOdd(tex) || LEFTWARD.test(tex) || !tex.trim()) return null;
    const short = tex.length < 40;
    const made = element("span", display ? "display" : short ? "inline short" : "inline");
    try {
      temml.render(tex, made, { displayMode: display, throwOnError: true, trust: false, maxSize: [8, 100], maxExpand: 500 });
    } catch {
      return null;
    }
    return made;
  };

  // Append a text with its formulas set.
  const showSet = (parent, text, needle) => {
    let room = MOST_FORMULAS;
    let before = "";
    const all = parts(text);
    all.forEach((part, place) => {
      const made = part.tex !== undefined && (room -= 1) >= 0 ? formula(part.tex, part.display) : null;
      if (made) {
        if (needle && part.text.toLowerCase().includes(needle)) made.classList.add("found");
        made.title = plain(part.text, 400);
        parent.append(made);
      } else {
        // A formula of its own line brings its line breaks.
        let own = part.text;
        if (before === "display") own = own.replace(/^[ \t]*\n/, "");
        if (all[place + 1]?.display) own = own.replace(/\n[ \t]*$/, "");
        const target = part.tex === undefined ? parent : parent.appendChild(element("span", "unset"));
        show(target, own, needle);
      }
      before = made && part.display ? "display" : "";
    });
  };

  // A whole text: the first part at once, the rest when asked for.
  const textElement = (text, needle = "") => {
    const whole = text.replace(/\r\n/g, "\n");
    const made = element("div", raw ? "text asis" : "text");
    const append = (from) => {
      let to = Math.min(from + SHOWN, whole.length);
      if (to < whole.length && /[\ud800-\udbff]/.test(whole[to - 1])) to += 1;
      const part = made.appendChild(element("span"));
      (raw ? show : showSet)(part, whole.slice(from, to), needle);
      if (to < whole.length) {
        const more = element("button", "", `show ${Math.min(SHOWN, whole.length - to).toLocaleString("en")} of ${(whole.length - to).toLocaleString("en")} more characters`);
        more.type = "button";
        more.onclick = () => {
          more.remove();
          append(to);
        };
        made.append(more);
      }
    };
    if (whole) append(0);
    else made.append(element("span", "none", "empty"));
    return made;
  };

  // --------------------------------------------------------------------------------------------------------- filters

  const settings = () => ({ ...Object.fromEntries(new FormData(form)), problem: problem < 0 ? "" : key(problem) });

  // Whether a row passes all filters but `without` and the text.
  const passes = (row, set, without = "") => {
    const one = problems[index.problem[row]];
    return (
      (without === "benchmark" || set.benchmark === "" || one.benchmark === +set.benchmark) &&
      (without === "verdict" || set.verdict === "" || index.verdict[row] === +set.verdict) &&
      (without === "reason" || set.reason === "" || index.reason[row] === +set.reason) &&
      (without === "truncated" || set.truncated === "" || index.truncated[row] === +set.truncated) &&
      (set.min === "" || index.tokens[row] >= +set.min) &&
      (set.max === "" || index.tokens[row] <= +set.max) &&
      (problem < 0 || index.problem[row] === problem)
    );
  };

  const order = (name) => {
    if (!orders[name]) {
      const rows = Uint32Array.from(index.problem, (_, row) => row);
      const before = {
        "": (a, b) => index.problem[a] - index.problem[b] || index.repetition[a] - index.repetition[b],
        longest: (a, b) => index.tokens[b] - index.tokens[a] || a - b,
        shortest: (a, b) => index.tokens[a] - index.tokens[b] || a - b,
        shuffled: (a, b) => mixed(a) - mixed(b),
      }[name];
      orders[name] = rows.sort(before);
    }
    return orders[name];
  };

  // A number that looks random and is the same each time.
  const mixed = (row) => {
    let value = Math.imul(row + 1, 0x9e3779b1);
    value = Math.imul(value ^ (value >>> 15), 0x85ebca6b);
    return (value ^ (value >>> 13)) >>> 0;
  };

  const update = async () => {
    const mine = (generation += 1);
    const set = settings();
    const needle = set.text.toLowerCase();
    options(set);
    by("clear").hidden = !FILTERS.some((name) => name !== "where" && name !== "order" && set[name]);
    chip();
    const candidates = order(set.order).filter((row) => passes(row, set));
    if (!needle) {
      present(candidates);
      return;
    }
    if (set.where) {
      present(candidates.filter((row) => elsewhere(row, set.where).toLowerCase().includes(needle)));
      return;
    }
    const found = new Uint8Array(index.problem.length);
    let looked = 0;
    let last = performance.now();
    for (const row of candidates.slice().sort()) {
      const text = await responseText(row);
      if (mine !== generation) return;
      found[row] = text.toLowerCase().includes(needle);
      looked += 1;
      if (performance.now() - last > 200) {
        present(candidates.filter((one) => found[one]), `searched ${Math.round((100 * looked) / candidates.length)} %`);
        await pause();
        if (mine !== generation) return;
        last = performance.now();
      }
    }
    present(candidates.filter((one) => found[one]));
  };

  const elsewhere = (row, where) => {
    const one = problems[index.problem[row]];
    if (where === "answer") return index.answer[row] < 0 ? "" : index.answers[index.answer[row]];
    if (where === "gold") return one.gold ? one.gold.accepted.join("\n") : "";
    return `${one.id}\n${one.text ?? ""}`;
  };

  // The choices of each menu, with how many responses each would leave.
  const options = (set) => {
    const menus = {
      benchmark: [(row) => problems[index.problem[row]].benchmark, index.benchmarks],
      verdict: [(row) => index.verdict[row], VERDICTS],
      reason: [(row) => index.reason[row], index.reasons],
      truncated: [(row) => index.truncated[row], ["no", "yes"]],
    };
    const counts = {};
    for (const [name, [value, labels]] of Object.entries(menus)) {
      const count = (counts[name] = new Array(labels.length).fill(0));
      for (let row = 0; row < index.problem.length; row += 1) if (passes(row, set, name)) count[value(row)] += 1;
      const menu = form.elements[name];
      const choices = [["", "all"], ...labels.map((label, place) => [String(place), `${plain(label, 40).replaceAll("_", name === "reason" ? " " : "_")} (${count[place].toLocaleString("en")})`])];
      menu.replaceChildren(
        ...choices
          .filter(([choice]) => choice === "" || count[choice] || choice === set[name])
          .map(([choice, label]) => Object.assign(element("option", "", label), { value: choice })),
      );
      menu.value = set[name];
    }
  };

  const chip = () => {
    const made = by("chip");
    made.hidden = problem < 0;
    if (problem < 0) return;
    const off = element("button", "", "all problems");
    off.type = "button";
    off.onclick = () => only(-1);
    made.replaceChildren(`Only problem ${plain(problems[problem].id, 80)} `, off);
  };

  const only = (number) => {
    problem = number;
    update();
  };

  // ------------------------------------------------------------------------------------------------------------ list

  const present = (rows, progress = "") => {
    shown = rows;
    let right = 0;
    let graded = 0;
    for (const row of rows) {
      right += index.verdict[row] === 1;
      graded += index.verdict[row] !== 2;
    }
    const share = graded ? ` · ${((100 * right) / graded).toFixed(1)} % right` : "";
    by("count").firstElementChild.textContent =
      `${rows.length.toLocaleString("en")} of ${index.problem.length.toLocaleString("en")}${share}${progress && ` · ${progress}`}`;
    space.style.height = `${rows.length * ROW}px`;
    if (current < 0 || (!rows.includes(current) && !pinned && !progress)) {
      if (rows.length) select(rows[0], false);
      else if (!progress) nothing();
    } else {
      heading();
      reveal();
      remember();
    }
    if (current >= 0 && rows.includes(current)) marked();
    draw();
  };

  // A response by its link is read though the filters leave it out, until another is chosen.
  let pinned = false;
  // What was marked in the text that is shown, to mark it anew when the search changes.
  let needleShown = "";
  const needleNow = () => (form.elements.where.value === "" ? form.elements.text.value.toLowerCase() : "");
  const marked = () => {
    if (needleNow() !== needleShown) read();
  };

  const draw = () => {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 6);
    const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 6);
    const made = [];
    for (let place = first; place < last; place += 1) made.push(rowElement(place));
    space.replaceChildren(...made);
    const chosen = space.querySelector('[aria-selected="true"]');
    if (chosen) list.setAttribute("aria-activedescendant", chosen.id);
    else list.removeAttribute("aria-activedescendant");
  };

  const rowElement = (place) => {
    const row = shown[place];
    const made = element("div", "row");
    made.id = `row-${row}`;
    made.style.top = `${place * ROW}px`;
    made.dataset.row = row;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", row === current);
    made.setAttribute("aria-posinset", place + 1);
    made.setAttribute("aria-setsize", shown.length);
    const verdict = index.verdict[row];
    const answer = index.answer[row];
    const mark = element("span", `mark ${CLASSES[verdict]}`, MARKS[verdict]);
    mark.setAttribute("aria-label", VERDICTS[verdict]);
    const cut = index.truncated[row] ? "truncated · " : "";
    made.append(
      mark,
      element("span", "id", plain(problems[index.problem[row]].id, 100)),
      element("span", "small", `#${index.repetition[row]}`),
      answer < 0
        ? element("span", "answer none", "no answer")
        : element("span", "answer", plain(index.answers[answer]) || " "),
      element("span", "small", `${cut}${plain(index.reasons[index.reason[row]], 20).replaceAll("_", " ")} · ${index.tokens[row].toLocaleString("en")}`),
    );
    return made;
  };

  const reveal = () => {
    const place = shown.indexOf(current);
    if (place < 0) return;
    if (place * ROW < list.scrollTop) list.scrollTop = place * ROW;
    else if ((place + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * ROW - list.clientHeight;
  };

  const select = (row, byHand = true) => {
    current = row;
    if (byHand) pinned = false;
    reveal();
    draw();
    heading();
    remember();
    read();
  };

  const step = (direction) => {
    const place = shown.indexOf(current);
    const next = place < 0 ? 0 : place + direction;
    if (next >= 0 && next < shown.length) select(shown[next]);
  };

  // To the first response listed of the next or the previous problem.
  const stepProblem = (direction) => {
    let place = shown.indexOf(current);
    if (place < 0) return step(1);
    const here = index.problem[shown[place]];
    while (shown[place] !== undefined && index.problem[shown[place]] === here) place += direction;
    if (shown[place] === undefined) return undefined;
    const there = index.problem[shown[place]];
    while (direction < 0 && place > 0 && index.problem[shown[place - 1]] === there) place -= 1;
    return select(shown[place]);
  };

  // ----------------------------------------------------------------------------------------------------- one response

  const heading = () => {
    const place = shown.indexOf(current);
    by("place").textContent = current < 0 ? "" : place < 0 ? "not in the list" : `${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
    by("previous").disabled = place <= 0;
    by("next").disabled = shown.length === 0 || place === shown.length - 1;
    by("setting").textContent = raw ? "set formulas" : "raw text";
    by("setting").setAttribute("aria-pressed", raw);
  };

  const nothing = () => {
    current = -1;
    heading();
    remember();
    page.replaceChildren(element("p", "empty", "No response passes these filters."));
  };

  const section = (title, ...buttons) => {
    const head = element("div", "head");
    head.append(element("h2", "", title), ...buttons);
    return head;
  };

  const button = (label, action) => {
    const made = element("button", "", label);
    made.type = "button";
    made.onclick = action;
    return made;
  };

  // An answer or a gold: set, if it is a formula, with the text that was compared below it.
  const answerElement = (texts, note = "") => {
    const made = element("div");
    for (const text of texts) {
      const set = !raw && /[\\^_{}]/.test(text) ? formula(text, false) : null;
      if (set) {
        const holder = element("div", "set");
        holder.append(set);
        made.append(holder);
      }
      const below = element("div", "raw");
      show(below, text.slice(0, 5000) + (text.length > 5000 ? "…" : ""));
      if (!text.trim()) below.append(element("span", "none", "blank"));
      made.append(below);
    }
    if (note) made.append(element("div", "none", note));
    return made;
  };

  const read = async () => {
    const row = current;
    if (row < 0) return;
    const one = problems[index.problem[row]];
    const verdict = index.verdict[row];
    const reason = index.reasons[index.reason[row]];
    const needle = (needleShown = needleNow());
    let text;
    try {
      text = await responseText(row);
    } catch (error) {
      return fail(error);
    }
    if (row !== current) return;

    const head = element("div", "verdict");
    head.append(
      element("strong", CLASSES[verdict], `${MARKS[verdict]} ${VERDICTS[verdict]}`),
      element("span", "", `${plain(reason, 40).replaceAll("_", " ")}${REASONS[reason] ? `: ${REASONS[reason]}` : ""}`),
    );
    const facts = element("p", "facts");
    const right = one.rows.filter((other) => index.verdict[other] === 1).length;
    facts.textContent = [
      plain(index.benchmarks[one.benchmark]),
      `problem ${plain(one.id)}`,
      `repetition ${index.repetition[row]}`,
      `${index.tokens[row].toLocaleString("en")} tokens`,
      `${right} of ${one.rows.length} responses right`,
    ].join(" · ");
    if (index.truncated[row]) facts.append(element("span", "badge", "truncated at the token limit"));

    const answers = element("div", "answers");
    const given = element("div", ["is-wrong", "is-right", ""][verdict]);
    given.append(element("h2", "", "Answer"));
    given.append(index.answer[row] < 0 ? element("div", "none", reason === "not_graded" ? "not graded" : "none") : answerElement([index.answers[index.answer[row]]]));
    const gold = element("div");
    gold.append(element("h2", "", "Gold"), one.gold ? answerElement(one.gold.accepted, one.gold.note) : element("div", "none", "unknown"));
    answers.append(given, gold);

    const same = button(problem < 0 ? "only this problem" : "all problems", () => only(problem < 0 ? index.problem[row] : -1));
    const end = section("Response", button("end", toEnd));
    page.replaceChildren(head, facts, answers, section("Problem", same));
    page.append(one.text === null ? element("p", "none", "its text was not found") : textElement(one.text));
    page.append(end, textElement(text, needle));
    page.scrollTop = 0;
    // Where the search found something, that is what is looked for.
    if (needle) page.lastElementChild.querySelector("mark, .found")?.scrollIntoView({ block: "center" });
    return undefined;
  };

  const toEnd = () => {
    page.scrollTop = page.scrollHeight;
  };

  const toggle = () => {
    const above = page.scrollTop / Math.max(1, page.scrollHeight);
    raw = !raw;
    heading();
    read().then(() => {
      page.scrollTop = above * page.scrollHeight;
    });
  };

  // -------------------------------------------------------------------------------------- the address: #place?filters

  const segment = (text) => encodeURIComponent(text.replace(/[\ud800-\udfff]/g, "\ufffd")).replaceAll("%2F", "/");
  const key = (number) => `${segment(index.benchmarks[problems[number].benchmark])}/${segment(problems[number].id)}`;

  const remember = () => {
    const set = settings();
    set.benchmark = set.benchmark && index.benchmarks[set.benchmark];
    set.verdict = set.verdict && VERDICTS[set.verdict];
    set.reason = set.reason && index.reasons[set.reason];
    const kept = new URLSearchParams(FILTERS.filter((name) => set[name]).map((name) => [name, set[name]])).toString();
    const place = current < 0 ? "" : `${key(index.problem[current])}/${index.repetition[current]}`;
    by("permalink").href = `#${place}`;
    const address = `#${place}${kept && `?${kept}`}`;
    try {
      if (address !== location.hash) history.replaceState(null, "", address);
    } catch {
      // Too many changes in a short time are refused; the next one is taken.
    }
  };

  // Follow the address of the page; nothing in it needs to exist.
  const follow = () => {
    const [place, ...rest] = location.hash.slice(1).split("?");
    const wanted = new URLSearchParams(rest.join("?"));
    const named = (name, values) => {
      const found = values.indexOf(wanted.get(name));
      return found < 0 ? "" : String(found);
    };
    const values = {
      benchmark: named("benchmark", index.benchmarks),
      verdict: named("verdict", VERDICTS),
      reason: named("reason", index.reasons),
      truncated: /^[01]$/.test(wanted.get("truncated") ?? "") ? wanted.get("truncated") : "",
    };
    options({ ...settings(), ...values });
    for (const name of FILTERS.slice(0, -1)) form.elements[name].value = values[name] ?? wanted.get(name) ?? "";
    for (const name of ["where", "order"]) if (form.elements[name].selectedIndex < 0) form.elements[name].value = "";
    problem = problems.findIndex((_, number) => key(number) === wanted.get("problem"));
    const cut = place.lastIndexOf("/");
    const number = problems.findIndex((_, candidate) => key(candidate) === place.slice(0, cut));
    const row = number < 0 ? undefined : problems[number].rows.find((one) => index.repetition[one] === +place.slice(cut + 1));
    const missing = place && row === undefined;
    by("failure").hidden = !missing;
    if (missing) by("failure").textContent = `The response of this address is not in this page: ${plain(place)}`;
    pinned = row !== undefined;
    if (row !== undefined) {
      current = row;
      document.body.classList.add("reading");
    }
    const done = update();
    if (row !== undefined) read();
    return done;
  };

  // ----------------------------------------------------------------------------------------------------------- events

  const listen = () => {
    let timer;
    form.addEventListener("input", (event) => {
      clearTimeout(timer);
      pinned = false;
      timer = setTimeout(update, event.target.name === "text" ? 250 : 0);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    list.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(() => draw()).observe(list);
    space.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row) return;
      document.body.classList.add("reading");
      select(+row.dataset.row);
    });
    by("clear").onclick = clear;
    by("next").onclick = () => step(1);
    by("previous").onclick = () => step(-1);
    by("setting").onclick = toggle;
    by("back").onclick = () => {
      document.body.classList.remove("reading");
      reveal();
      draw();
    };
    window.addEventListener("hashchange", follow);
    document.addEventListener("keydown", pressed);
  };

  const clear = () => {
    for (const name of FILTERS.slice(0, -1)) if (name !== "order") form.elements[name].value = "";
    problem = -1;
    update();
  };

  const KEYS = {
    j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
    J: () => stepProblem(1), K: () => stepProblem(-1), m: toggle, e: toEnd, c: clear,
    p: () => current >= 0 && only(problem < 0 ? index.problem[current] : -1),
    "/": () => {
      by("filters-fold").open = true;
      document.body.classList.remove("reading");
      form.elements.text.select();
    },
    "?": () => by("help").showModal(),
  };

  const pressed = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || by("help").open) return;
    if (event.key === "Escape" && form.contains(event.target)) {
      page.focus();
      return;
    }
    if (event.target.closest("input, select")) return;
    const inList = event.target === list ? { ArrowDown: KEYS.j, ArrowUp: KEYS.k, Enter: () => document.body.classList.add("reading") } : {};
    const action = inList[event.key] ?? (Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined);
    if (!action) return;
    event.preventDefault();
    action();
  };

  const fail = (error) => {
    by("failure").hidden = false;
    by("failure").textContent = `This page cannot be shown: ${error.message}`;
  };

  const start = async () => {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("the browser is too old; Chromium 80, Firefox 113 and Safari 16.4 can, and all later ones");
    }
    index = await unpack(by("index").textContent);
    problems = index.problems.map((one) => ({ ...one, rows: [] }));
    index.problem.forEach((number, row) => problems[number].rows.push(row));
    const several = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
    by("total").textContent =
      `${several(index.problem.length, "response")}, ${several(problems.length, "problem")}, ${several(index.benchmarks.length, "benchmark")}`;
    if (matchMedia("(max-width: 52rem)").matches) by("filters-fold").open = false;
    listen();
    await follow();
    if (current >= 0) await block(Math.floor(current / BLOCK));
    // After the next frame all of it is on the screen.
    requestAnimationFrame(() => setTimeout(() => {
      performance.mark("ready");
      document.documentElement.dataset.ready = "yes";
    }));
  };

  start().catch(fail);
})();
