"""A page of HTML that opens anywhere: its style is in it, and nothing is loaded."""

from collections.abc import Sequence
from html import escape

from ebmlab.plot.panel import color, dash

__all__ = ["key", "page", "table"]

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1d2433;
  background: #fff; max-width: 76rem; margin: 0 auto; padding: 2.2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .7rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { max-width: 52rem; margin: .5rem 0; color: #46506a; }
ul.keys { list-style: none; margin: .9rem 0 0; padding: .55rem 0; display: flex;
  flex-wrap: wrap; gap: .25rem 1.6rem; position: sticky; top: 0; background: #fffffff2;
  border-bottom: 1px solid #e3e7ef; z-index: 1; }
ul.keys li { cursor: default; overflow-wrap: anywhere; } ul.keys small { color: #6b7489; }
svg.key { width: 30px; height: 10px; margin-right: .45rem; vertical-align: baseline; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr));
  gap: 1rem 1.2rem; }
svg.panel { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg .title { font-size: 13px; font-weight: 600; fill: #1d2433; }
svg .tick { font-size: 10.5px; font-weight: 400; fill: #6b7489; }
svg .grid { stroke: #e9ecf2; stroke-width: 1; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .9rem .4rem 0; text-align: right; border-bottom: 1px solid #e3e7ef;
  overflow-wrap: anywhere; min-width: 4.5rem; }
th:first-child, td:first-child { text-align: left; min-width: 9rem; }
th { font-weight: 600; color: #46506a; vertical-align: bottom; }
.note { color: #8a3b12; } code { font-size: .92em; overflow-wrap: anywhere; }
details { margin-top: 1.2rem; } summary { cursor: pointer; color: #46506a; }
"""


def page(title: str, lead: str, parts: Sequence[str], runs: int = 0) -> str:
    """A whole page; a curve stands out while the mouse is on its key.

    Args:
        title: its heading; text.
        lead: a sentence below; text.
        parts: what follows; HTML.
        runs: how many keys there are.

    Example:
        >>> page("Two <runs>", "", ["<p>…</p>"]).count("&lt;runs&gt;")
        2
    """
    found = "".join(
        f"body:has(.key-{i}:hover) .curve:not(.run-{i}) {{ opacity: .12; }}\n" for i in range(runs)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{found}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(lead)}</p>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def key(number: int, name: str, about: str) -> str:
    """A run's color and dashes with its name, as an item of a list."""
    return (
        f'<li class="key-{number}"><svg class="key" viewBox="0 0 30 10" aria-hidden="true">'
        f'<line x1="1" x2="29" y1="6" y2="6" stroke="{color(number)}" stroke-width="2.4" '
        f'stroke-dasharray="{dash(number)}"/></svg>'
        f"{escape(name)} <small>{escape(about)}</small></li>"
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, of which the first is the heading; text.

    Example:
        >>> table([["", "a<b"], ["rank", "3"]]).count("<td>")
        2
    """
    heading, *body = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in zip(("th", *("td",) * len(rows)), rows, strict=False)
    )
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return (
        f'<div class="scroll"><table><thead><tr>{heading}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
