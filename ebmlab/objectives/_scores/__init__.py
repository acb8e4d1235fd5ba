"""Objectives that match the slope of the energy, not its height."""
