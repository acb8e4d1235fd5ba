"""Exit codes."""

__all__ = ["INTERRUPTED"]

# What shells report of a program that Ctrl-C ended.
INTERRUPTED = 130
