"""Predictors in which z chooses an operator that acts alike on every code."""
