"""Objectives that shape an energy into a density."""
