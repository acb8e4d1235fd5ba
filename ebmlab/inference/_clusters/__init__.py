"""Inferences that assign codes to clusters."""
