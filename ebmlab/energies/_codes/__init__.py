"""Energies between codes, and the embeddings that lead to them."""
