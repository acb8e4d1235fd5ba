"""Objectives whose optimum is the density of the data, and penalties that compose with them."""
