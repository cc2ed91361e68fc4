"""Jobs on the nodes of a Slurm cluster. Only loaded where there are any."""

PREFIX = "slurm/"
"""Begins the handles of its jobs."""
