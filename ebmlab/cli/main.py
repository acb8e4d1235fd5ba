"""The commands together, and how they end."""

import os
import sys
import warnings

from ebmlab.cli.terminal import INTERRUPTED, abandon, prepare
from ebmlab.errors import EbmlabError

__all__ = ["main"]


def main() -> None:
    """Run the command line; what goes wrong on purpose is one line, not a traceback.

    The exit code is 0 where all was done, 1 after such an error, 2 for arguments that cannot be
    read, and 130 after Ctrl-C.
    """
    prepare()
    with warnings.catch_warnings():
        warnings.showwarning = _warned
        _ended()


def _warned(message: Warning | str, *where: object) -> None:
    """A warning as one line, in front of which a bar makes room."""
    from tqdm import tqdm

    try:
        tqdm.write(f"{_who()}: warning: {message}", file=sys.stderr)
    except OSError:
        # A warning that nobody can read must not end a run.
        abandon()


def _who() -> str:
    """What speaks: of several ranks, which one."""
    several = os.environ.get("WORLD_SIZE", "1") != "1" and "RANK" in os.environ
    return f"ebmlab: rank {os.environ['RANK']}" if several else "ebmlab"


def _ended() -> None:
    try:
        _commanded()
    except EbmlabError as error:
        sys.exit(f"{_who()}: {error}")
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has what it wants.
        abandon()
    except OSError as error:
        # A full disk, or a folder that may not be written.
        abandon()
        about = [str(part) for part in (error.filename, error.strerror or error) if part]
        sys.exit(": ".join([_who(), *about]))
    except RuntimeError as error:
        from ebmlab._kinds import lost

        if "RANK" not in os.environ or not lost(error):
            raise
        sys.exit(f"{_who()}: another rank is gone ({str(error).splitlines()[0]})")
    except KeyboardInterrupt:
        sys.stderr.write(f"{_who()}: interrupted\n")
        sys.exit(INTERRUPTED)


def _commanded() -> None:
    """Read the arguments and do what they say; nothing slow is imported before this."""
    from tyro.extras import SubcommandApp

    from ebmlab.cli.compare import compare
    from ebmlab.cli.evaluate import evaluate
    from ebmlab.cli.explore import explore
    from ebmlab.cli.export import export
    from ebmlab.cli.inpaint import inpaint
    from ebmlab.cli.methods import methods
    from ebmlab.cli.plot import plot
    from ebmlab.cli.sample import sample
    from ebmlab.cli.tour import tour
    from ebmlab.cli.train import train

    app = SubcommandApp()
    commands = (tour, explore, methods, train, evaluate, plot, compare, sample, inpaint, export)
    for command in commands:
        app.command(command)
    try:
        app.cli(prog="ebmlab", description="Energy-based models: one scalar, E(x, y, z).")
    finally:
        sys.stdout.flush()
