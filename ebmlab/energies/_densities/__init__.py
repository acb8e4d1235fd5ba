"""Densities with a known log Z and exact draws."""
