"""Recordings that others made, in their formats."""
