"""One scalar, E(x, y, z), carries all of self-supervised and energy-based learning."""
