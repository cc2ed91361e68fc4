"""What is on disk and what happened before. Unaware of the graph's order and of processes."""
