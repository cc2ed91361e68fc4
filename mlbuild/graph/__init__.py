"""Targets times keys: tasks, what each needs, and which are wanted. Pure: unaware of time and of how anything runs."""
