"""Runs on images: their sets, backbones, how methods see them, what is measured and drawn."""
