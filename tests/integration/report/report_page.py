"""A report as a browser reads it, and the small files it is made of in tests."""

import re
from html.parser import HTMLParser

RANDOM = "walks.random-1k.ep1.lr1e-3"
VOID = {"meta", "img", "br"}
SEPARATE = {"th", "td", "p", "dt", "dd", "li", "h2", "h3", "figcaption"}
BESIDE = ("decisions/rank", "decisions/predict", "decisions/plan")
HEADINGS = ("h1", "h2", "h3")
HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror="alert(2)">'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="100pt">{content}</svg>\n'


class Page(HTMLParser):
    """What a browser makes of a page: its elements in order with their attributes, and the text below each tag."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.html, self.open, self.elements, self.mistakes, self.texts = html, [], [], [], {}
        self.feed(html)
        self.close()
        self.mistakes += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

        if tag in SEPARATE:
            self.handle_data(" ")

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts.setdefault(tag, []).append(data)

    def text(self, tag: str = "main") -> str:
        return " ".join("".join(self.texts.get(tag, [])).split())

    def attributes(self, tag: str, name: str) -> list[str]:
        return [found[name] for one, found in self.elements if one == tag and name in found]

    def section(self, anchor: str) -> str:
        """The text of one section."""
        html = self.html.split(f'<section id="{anchor}">')[1].split("</section>")[0]
        return Page(f"<main>{html}</main>").text()


def tables_of(settings) -> list[str]:
    return [*settings.tables, "models", "predictors", "outcomes"]


def figures_of(settings) -> list[str]:
    return [*settings.figures, "predictors", "ranks", "outcomes"]


def layout(titles: list[str], *rows: list[str], notes: tuple[str, ...] = (), group: str = "") -> dict:
    """A table as make_tables.py stores it; all columns but the first hold numbers, the last is of a group."""
    columns = [{"title": title, "left": place == 0} for place, title in enumerate(titles)]
    columns[-1]["group"] = group
    return {"columns": columns, "rows": [[{"text": text} for text in row] for row in rows], "notes": list(notes)}


def trained(**versions) -> dict:
    """training.json of an SFT run on four GPUs."""
    return {
        "steps": 199,
        "tokens_seen": 123_456,
        "seconds": 90.0,
        "loss_curve": [{"step": step, "loss": 2.0 / step} for step in range(1, 200)],
        "versions": {"python": "3.11.7", **versions},
        "hardware": {"machine": "x86_64", "cores": 64, "accelerators": ["NVIDIA A100"] * 4},
    }


def loads(page: Page) -> list[str]:
    """Whatever a browser would fetch or run for a page."""
    sources = [found for tag, attributes in page.elements for name, found in attributes.items() if name in LOADING]
    links = page.attributes("a", "href")
    found = [source for source in sources if not source.startswith("data:image/svg+xml;base64,")]
    found += [link for link in links if re.match(r"[a-z]+:|//", link, re.IGNORECASE)]
    found += [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "embed", "base", "form")]
    found += [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    return found + re.findall(r"url\(|@import", page.text("style"))


LOADING = ("src", "srcset", "data", "action", "poster", "background", "style")
