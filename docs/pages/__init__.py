"""What writes the pages of the documentation that come from the library itself."""
