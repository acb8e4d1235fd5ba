"""Runs on texts: files of characters, what is hidden or follows, and the sets of answers to it."""
