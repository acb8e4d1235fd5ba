"""Runs of the command line with few images and steps."""

import sys

from ebmlab.cli import main

TINY = ("--limit", "64", "--batch-size", "32", "--epochs", "1")


def ebmlab(monkeypatch, *arguments):
    """The exit code of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["ebmlab", *map(str, arguments)])
    try:
        main()
    except SystemExit as ended:
        return ended.code
    return 0
