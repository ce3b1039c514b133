"""Recordings: what an episode is, how it lies on disk, where it comes from and how training reads it."""
