"""`python -m ebmlab` is the command line."""

from ebmlab.cli import main

main()
