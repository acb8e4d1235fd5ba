"""Files of images: finding them, reading them, keeping what was read."""
