"""The commands together, and how they end."""

import sys
import warnings
from typing import TextIO

from tyro.extras import SubcommandApp

from ebmlab.cli.evaluate import evaluate
from ebmlab.cli.exits import INTERRUPTED
from ebmlab.cli.methods import methods
from ebmlab.cli.plot import plot
from ebmlab.cli.tour import tour
from ebmlab.cli.train import train
from ebmlab.errors import EbmlabError

__all__ = ["app", "main"]

app = SubcommandApp()
for command in (tour, methods, train, evaluate, plot):
    app.command(command)


def main() -> None:
    """Run the command line; what goes wrong on purpose is one line, not a traceback.

    The exit code is 0 where all was done, 1 after such an error, 2 for arguments that cannot be
    read, and 130 after Ctrl-C.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _warned
        _ended()


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line, in front of which a bar makes room."""
    from tqdm import tqdm

    tqdm.write(f"ebmlab: warning: {message}", file=sys.stderr)


def _ended() -> None:
    try:
        app.cli(prog="ebmlab", description="Energy-based models: one scalar, E(x, y, z).")
    except EbmlabError as error:
        sys.exit(f"ebmlab: {error}")
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has what it wants.
        sys.stderr.close()
    except OSError as error:
        # A full disk, or a folder that may not be written.
        sys.exit(f"ebmlab: {error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.stderr.write("ebmlab: interrupted\n")
        sys.exit(INTERRUPTED)
