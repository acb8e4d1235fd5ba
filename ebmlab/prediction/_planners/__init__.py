"""Ways to search for sequences of z."""
