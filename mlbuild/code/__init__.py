"""What Python code means, and which of it a program can reach. Knows files by their texts only."""
