"""Runs on images whose energy gives pictures: chains from noise, and what hidden pixels may be."""
