"""What is written to: a terminal, a file, a pipe whose reader has gone, or nothing at all."""

import codecs
import io
import os
import sys
from pathlib import Path
from unicodedata import normalize

__all__ = ["INTERRUPTED", "abandon", "prepare"]

# What shells report of a program that Ctrl-C ended.
INTERRUPTED = 130

_SPELLED = {"‖": "||", "²": "^2", "∇": "grad ", "∂": "d", "–": "-", "→": "->", "·": "*"}
_SPELLED |= {"α": "alpha", "β": "beta", "ε": "epsilon", "λ": "lambda", "μ": "mu", "ξ": "xi"}
_SPELLED |= {"π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "Σ": "sum ", "Δ": "Laplacian "}
_SPELLED |= {"∝": "~"}


def prepare() -> None:
    """Make both streams take any text: what is closed is replaced, and missing letters spelled.

    What would go to a closed standard output is lost; errors take it where theirs is closed.
    """
    codecs.register_error("ebmlab.spelled", _spelled)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ebmlab.spelled")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Letters that an encoding lacks in those of ascii, or as question marks."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    plain = (normalize("NFKD", letter).encode("ascii", "ignore").decode() for letter in letters)
    pairs = zip(letters, plain, strict=True)
    return "".join(_SPELLED.get(letter) or ascii or "?" for letter, ascii in pairs), error.end


def abandon() -> None:
    """Drop what a stream could not write, of which the interpreter would complain at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
