"""A generator that learns as the energy learns, and what each of the two descends."""
