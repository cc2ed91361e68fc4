"""Jobs on the nodes of a Slurm cluster."""
