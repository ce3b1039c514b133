"""Learned worlds as people use them: loading one by its name, stepping it, looking at it."""
