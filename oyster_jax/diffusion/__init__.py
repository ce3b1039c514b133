"""Shortcut forcing: noise schedule, training objective, sampler."""
