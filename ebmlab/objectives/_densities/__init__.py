"""Objectives of densities, exported by `ebmlab.objectives`."""
