"""The one loop: blocks of transitions, a watch over the numbers, a bar."""
