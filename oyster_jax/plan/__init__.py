"""Plans: the real programs compiled for TPUs that nobody has rented yet, and what that tells of memory and time."""
