"""Energies of binary and categorical variables, and of memories."""
