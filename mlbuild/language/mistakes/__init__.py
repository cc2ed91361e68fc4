"""What to say where a text is no Pipelinefile: a rule for each way in which people go wrong. Sees text alone."""
