"""What to do next: decide, schedule, record. Unaware of the terminal."""
