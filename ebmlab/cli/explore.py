"""`ebmlab explore`."""

import sys
import webbrowser
from pathlib import Path

__all__ = ["explore"]


def explore(out: Path = Path("explorer.html"), open: bool = False) -> None:
    """Energy landscapes to play with: write a page that opens in any browser, also offline.

    Six objectives shape landscapes side by side, one x has many y, temperature merges valleys,
    codes collapse and are cured, walkers get stuck and are freed. Its numbers are this library's.

    Args:
        out: the file, which holds the whole page.
        open: open it in the browser as well.
    """
    from ebmlab._explorer import write_explorer

    write_explorer(out)
    sys.stdout.write(f"{out}\n")
    if open:
        webbrowser.open(out.resolve().as_uri())
