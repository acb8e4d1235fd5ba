"""What is written to: a terminal, a file, a pipe whose reader has gone, or nothing at all."""

import codecs
import io
import os
import sys
import unicodedata
from pathlib import Path

__all__ = ["abandon", "legible", "prepare"]

_SPELLED = {
    "λ": "lambda",
    "‖": "||",
    "²": "^2",
    "∇": "grad ",
    "∂": "d",
    "–": "-",
    "→": "->",
    "·": "*",
}
_PLAIN = "ebmlab.plain"


def prepare() -> None:
    """Make both streams take any text: what is closed is replaced, and missing letters spelled.

    What a closed stream would say is lost, but for errors, which then go to standard output.
    """
    codecs.register_error(_PLAIN, _plain)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAIN)


def abandon() -> None:
    """Drop what a stream could not write, of which the interpreter would complain at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def legible(text: str) -> str:
    """The text in letters that standard output has.

    Example:
        >>> _spelled("τ"), _spelled("₁"), _spelled("╭")
        ('tau', '1', '?')
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _PLAIN).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(letter: str) -> str:
    """A letter in ascii: its name where it is Greek, a question mark where there is nothing."""
    name = unicodedata.name(letter, "")
    greek = name.rpartition(" ")[2].lower() if name.startswith("GREEK SMALL") else ""
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _SPELLED.get(letter) or greek or plain or "?"
