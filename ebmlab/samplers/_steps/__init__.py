"""What steps are made of: starts and noise, leapfrogs, trees of them, chains left behind."""
