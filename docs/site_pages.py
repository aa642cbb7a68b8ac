"""Pages of the site that lie outside docs/: README.md, CONTRIBUTING.md and what else a page links to.

In the repository a page links to a file by its place there (`docs/plan.md`, `../config/README.md`). The site has the
files of docs/ at its top, and the others by their path from the repository's root. So links are rewritten, and a file
that is linked to becomes part of the site. mkdocs calls the two functions below (`hooks` in mkdocs.yml).
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "envs/README.md")
PAGES += ("results/example/README.md", "results/published/README.md", "results/published/retu/README.md")
# A Markdown link or an HTML image, to a file of the repository and to a place in it: not to another site.
LINK = re.compile(r'(?P<before>\]\(|src=")(?P<path>[^)"#\s:]+)(?P<after>#[^)"\s]*)?(?=[)"])')
CODE = re.compile(r"^```.*?^```$|^(?:    [^\n]*\n)+|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the files that any page links to."""
    for path in PAGES:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    known = {file.src_uri for file in files}
    for page in [file for file in files if file.is_documentation_page()]:
        for match in LINK.finditer(CODE.sub("", page.content_string)):
            target = in_repository(page.src_uri, match["path"])
            if in_site(target) not in known and (ROOT / target).is_file():
                files.append(File.generated(config, in_site(target), abs_src_path=str(ROOT / target)))
                known.add(in_site(target))
    return files


def on_page_markdown(markdown: str, page: Page, **_) -> str:
    """Links of a page, from places in the repository to places in the site."""
    source = page.file.src_uri

    def rewritten(match: re.Match[str]) -> str:
        target = in_repository(source, match["path"])
        if not (ROOT / target).exists():
            # No file of ours: mkdocs says so, if it is a link.
            return match[0]
        return f"{match['before']}{relpath(in_site(target), dirname(source) or '.')}{match['after'] or ''}"

    return LINK.sub(rewritten, markdown)


def in_repository(source: str, link: str) -> str:
    """The path, from the repository's root, of what a page of the site links to."""
    return normpath(join(dirname(source if source in PAGES else f"docs/{source}"), link))


def in_site(path: str) -> str:
    """The path in the site of a file of the repository."""
    return path.removeprefix("docs/")
