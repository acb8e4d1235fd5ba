"""The documentation once it is built (`python -m sphinx -W docs site`), as a reader finds it."""

import re
import urllib.parse
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pages.public import names

SITE = Path(__file__).parents[2] / "site"
pytestmark = pytest.mark.skipif(not (SITE / "objects.inv").exists(), reason="site is not built")


class Page(HTMLParser):
    """What a page points at, and what can be pointed at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in {"script", "img", "iframe", "source"} and given.get("src"):
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") == "stylesheet":
            self.loaded.append(given["href"])


@cache
def page(path: Path) -> Page:
    return Page(path)


def pages():
    return [path for path in sorted(SITE.rglob("*.html")) if path.name != "explorer.html"]


def leads_nowhere(path: Path, link: str) -> bool:
    parts = urllib.parse.urlsplit(link)
    if parts.scheme:
        return False
    target = path if not parts.path else (path.parent / urllib.parse.unquote(parts.path)).resolve()
    if not parts.fragment or target.suffix != ".html" or not target.exists():
        return not target.exists()
    return urllib.parse.unquote(parts.fragment) not in page(target).anchors


def test_links_lead_somewhere():
    all_links = [(p, link) for p in pages() for link in (*page(p).links, *page(p).loaded)]
    broken = [(path.name, link) for path, link in all_links if leads_nowhere(path, link)]
    assert len(pages()) > 220
    assert len(all_links) > 10_000
    assert not broken


def test_a_broken_link_is_told():
    path = SITE / "index.html"
    assert leads_nowhere(path, "no_such_page.html")
    assert leads_nowhere(path, "#no-such-anchor")
    assert leads_nowhere(path, "index.html#no-such-anchor")
    assert not leads_nowhere(path, "index.html")


def test_pages_load_nothing_from_the_network():
    asked = [(path.name, src) for path in pages() for src in page(path).loaded if "//" in src]
    assert not asked


def test_links_to_papers_are_well_formed():
    papers = {link for path in pages() for link in page(path).links if "arxiv.org" in link}
    bad = [
        p
        for p in papers
        if not re.fullmatch(r"https://arxiv\.org/abs/(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", p)
    ]
    assert len(papers) > 60
    assert not bad


def test_every_public_name_is_in_the_index():
    from sphinx.util.inventory import InventoryFile

    with (SITE / "objects.inv").open("rb") as file:
        listed = InventoryFile.load(file, "", lambda _, name: name)
    there = {name for kind, found in listed.items() if kind.startswith("py:") for name in found}
    missing = [name.full for name in names() if name.full not in there]
    assert not missing


def test_search_finds_words_without_a_server():
    index = (SITE / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    for word in ("langevin", "collaps", "vicreg"):
        assert f'"{word}"' in index or f"{word}:" in index
