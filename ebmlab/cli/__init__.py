"""The command line: `ebmlab tour | methods | train | evaluate | plot`."""

from ebmlab.cli.main import main

__all__ = ["main"]
