"""What steps are made of: starts and noise, leapfrogs, and trees of them."""
