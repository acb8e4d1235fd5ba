"""Minimizers over z, row by row, and what they know of the potential."""
