"""Rollouts in bulk: who acts, where episodes begin, how they are computed on many devices, and how they are stored."""
