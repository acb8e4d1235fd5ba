"""Runs on points: their sets, how energies of them are trained, what is measured and drawn."""
