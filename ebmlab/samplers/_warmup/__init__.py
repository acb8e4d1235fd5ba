"""What a warm-up is made of: coming in, step sizes, metrics, lengths."""
